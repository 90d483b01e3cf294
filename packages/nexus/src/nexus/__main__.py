"""``python -m nexus``: the command line."""

from __future__ import annotations

from nexus.channels.cli.app import main

if __name__ == "__main__":
    main()
