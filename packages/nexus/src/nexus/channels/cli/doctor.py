"""``nexus doctor``: whether everything fits together, and this application could be served now.

Rule: a provider is examined by what it says of itself (`kailash.checkup.Examined`); what it is remains unknown here.
"""

from __future__ import annotations

import errno
import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib.util import find_spec
from typing import Any, Final

import click
import msgspec

from kailash import masking
from kailash.checkup import TRIO, Check, Examined, State, extras, healthy, versions
from kailash.errors import KailashError
from nexus.channels.cli import commands, locate, output
from nexus.channels.cli.desk import Desk
from nexus.channels.cli.formats import Format
from nexus.options import Options

PATIENCE: Final = 1.0  # seconds that another program on our port has to answer; arbitrary
ILL: Final = 1  # exit code when something is wrong
COLUMNS: Final = ("check", "state", "said", "hint")


def command() -> click.Command:
    """Return the command."""
    return click.Command(
        "doctor",
        params=[*commands.settings()],
        callback=_doctor,
        help="Look whether versions fit together, databases can be reached, ports are free, extras are there."
        " Changes nothing. Ends with 1 when something is wrong.",
    )


def _doctor(**settings: Any) -> int:
    desk = click.get_current_context().ensure_object(Desk)
    desk.note(settings)
    checks = [*versions(), *(check for name in TRIO for check in extras(name))]
    configuration: dict[str, Any] = {}
    try:
        application = desk.application()
    except locate.NoApplicationError as error:
        checks.append(Check("application", State.NOTE, error.message, error.hint))
    except KailashError as error:
        checks.append(Check("application", State.FAILED, error.message, error.hint))
    else:
        with desk.loop():  # which gives back what looking has opened
            checks += _looked(application)
            configuration = _configuration(application)
    _show(desk, checks, configuration)
    return 0 if healthy(checks) else ILL


def _looked(application: locate.Application) -> Iterator[Check]:
    options = application.options
    yield Check("application", State.OK, options.title)
    for provider in application.catalogue_of("python").providers:
        if isinstance(provider, Examined):
            yield from provider.checkup()
    yield from _ports(options)
    if options.enable_mcp and find_spec("mcp") is None:
        yield Check(
            "agents", State.NOTE, "the MCP SDK is not installed, so no agent is served", "pip install 'mcp>=2.3,<3'"
        )


def _ports(options: Options) -> Iterator[Check]:
    yield _port("api_port", options.host, options.api_port)
    own = options.enable_mcp and options.enable_http_transport
    if own and options.mcp_port is not None and options.mcp_port != (options.api_port or -1):
        yield _port("mcp_port", options.host, options.mcp_port)


def _port(name: str, host: str, port: int) -> Check:
    if port == 0:
        return Check(name, State.OK, "any free one")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        socket.create_server(address[:2], family=family).close()
    except OSError as fault:
        if fault.errno == errno.EADDRINUSE and _alive(host, port):
            return Check(name, State.NOTE, f"{port} of {host}: a Nexus is served there already")
        said = f"{port} of {host} cannot be opened: {(fault.strerror or 'refused').lower()}"
        return Check(name, State.FAILED, said, f"stop the program that listens there, or choose another {name}")
    return Check(name, State.OK, f"{port} of {host} is free")


def _alive(host: str, port: int) -> bool:
    """Whether what listens there answers as a Nexus does."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    try:
        with closing(http.client.HTTPConnection(reached, port, timeout=PATIENCE)) as connection:
            connection.request("GET", "/health/live")
            return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def _configuration(application: locate.Application) -> dict[str, Any]:
    found: dict[str, Any] = {"nexus": _plain(application.options)}
    for provider in application.catalogue_of("python").providers:
        if isinstance(provider, Examined):
            found[str(getattr(provider, "name", type(provider).__name__))] = provider.configuration()
    return found


def _plain(options: Options) -> dict[str, Any]:
    given = msgspec.structs.asdict(options) | {"integration": None, "agents": msgspec.structs.asdict(options.agents)}
    if options.integration is not None:
        given["integration"] = str(getattr(options.integration, "name", type(options.integration).__name__))
    return {name: masking.masked(name, value) for name, value in given.items()}


def _show(desk: Desk, checks: list[Check], configuration: Mapping[str, Any]) -> None:
    rows = [{"check": each.name, "state": each.state.value, "said": each.said, "hint": each.hint} for each in checks]
    screen = desk.screen
    if screen.format is Format.JSON:
        output.show(screen, {"healthy": healthy(checks), "checks": rows, "configuration": configuration})
        return
    output.table(screen, rows, COLUMNS)
    if screen.format is Format.TABLE:
        for name, options in configuration.items():
            screen.stream.write(f"\n{name}\n")
            output.show(screen, options)
