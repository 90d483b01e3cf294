"""Every Python example of the pages in this folder runs."""

from __future__ import annotations

from pages import PAGES

pytest_collect_file = PAGES.pytest()
