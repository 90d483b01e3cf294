"""Capabilities as HTTP resources: raw ASGI, one dispatch table made from the catalogue."""
