"""``python -m dataflow``: the command line."""

from __future__ import annotations

from dataflow.cli.app import main

if __name__ == "__main__":
    main()
