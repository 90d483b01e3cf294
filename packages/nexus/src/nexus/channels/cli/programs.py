"""The words of ``nexus`` that are not records: serve, routes, mcp."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click
import msgspec

from kailash import shapes
from kailash.errors import KailashError
from nexus.channels.base import Message
from nexus.channels.cli import commands, output
from nexus.channels.cli.desk import Desk

METHODS = ("get", "post", "put", "patch", "delete")


class NoDocumentError(KailashError):
    """The application could not describe its own routes."""

    code = "no_document"


def programs() -> list[click.Command]:
    """Return the commands."""
    port = click.IntRange(0, 65_535)
    return [
        click.Command(
            "serve",
            params=[
                click.Option(["--host"], envvar="NEXUS_HOST", metavar="ADDRESS", help="Where to listen."),
                click.Option(["--port"], type=port, envvar="NEXUS_PORT", help="For HTTP; 0 is any free port."),
                click.Option(["--mcp-port"], type=port, envvar="NEXUS_MCP_PORT", help="For agents; 0 too."),
            ],
            callback=_serve,
            help="Serve the application over HTTP, and to agents, until interrupted.",
        ),
        click.Command("routes", params=[*commands.settings()], callback=_routes, help="List the routes over HTTP."),
        click.Command("mcp", callback=_mcp, help="Serve agents over standard input and output (MCP)."),
    ]


def _desk() -> Desk:
    return click.get_current_context().ensure_object(Desk)


def _serve(host: str | None, port: int | None, mcp_port: int | None) -> None:
    application = _desk().application()
    asked = {"host": host, "api_port": port, "mcp_port": mcp_port}
    given = {name: value for name, value in asked.items() if value is not None}
    application.options = msgspec.structs.replace(application.options, **given)
    application.start()


def _mcp() -> None:
    _desk().application().mcp.stdio()


def _routes(**settings: Any) -> None:
    desk = _desk()
    desk.note(settings)
    with desk.loop() as run:
        document = run(_fetch(desk, "/openapi.json"))
    output.table(desk.screen, list(_listed(document)), ("method", "path", "summary"))


def _listed(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                yield {"method": method.upper(), "path": path, "summary": item[method].get("summary", "")}


async def _fetch(desk: Desk, path: str) -> Mapping[str, Any]:
    """Return the JSON object that the application answers at *path*, asked in this process. Raises: NoDocumentError."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await desk.application().asgi(_scope(path), receive, send)
    content = b"".join(message.get("body", b"") for message in sent)
    found = shapes.decode_json(content) if sent and sent[0].get("status") == 200 else None
    if not isinstance(found, dict):
        raise NoDocumentError("the application does not describe its routes", hint=f"ask a server for {path}")
    return found


def _scope(path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
    }
