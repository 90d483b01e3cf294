"""Tools for agents, over the Model Context Protocol.

`server` is the channel and costs nothing to import; `front` guards the HTTP door; `names`, `tools`, `guide`,
`schemas` and `calls` are the translation, as values; only `protocol`, `transports` and `stdio` import the SDK,
whose half a second is paid by the first request and not by the start of the server.
"""
