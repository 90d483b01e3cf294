"""Older addresses of what `dataflow` offers; each warns and works."""
