"""The words of ``nexus`` for workflows: workflows, run, jobs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from kailash import masking, shapes
from kailash.capability import Capability, Nature
from kailash.errors import InvalidInputError, KailashError, NoSuchCapabilityError, WorkflowExecutionError, did_you_mean
from nexus.call import Ticket
from nexus.channels.cli import commands, output, watch
from nexus.channels.cli.desk import Desk

LONGEST: Final = 200  # characters of one input that are shown; arbitrary


def programs() -> list[click.Command]:
    """Return the commands."""
    return [
        click.Command(
            "workflows",
            params=[click.Argument(["name"], required=False), *commands.settings()],
            callback=_workflows,
            help="List the workflows; with a name, show its inputs and a Mermaid picture.",
        ),
        click.Command(
            "run",
            params=[
                click.Argument(["name"]),
                click.Option(
                    ["--input", "-i", "inputs"], multiple=True, metavar="NAME=VALUE", help="One input; NODE.NAME too."
                ),
                click.Option(["--data"], metavar="JSON", help="All inputs as a JSON object; - reads standard input."),
                click.Option(["--watch", "-w"], is_flag=True, help="Show each step as it happens."),
                click.Option(["--key"], metavar="TEXT", help="Go on with the run that this key began, if it did."),
                *commands.settings(),
            ],
            callback=_run,
            help="Run a workflow in this process and write what it gives.",
        ),
        click.Command("jobs", params=[*commands.settings()], callback=_jobs, help="List the runs that are known."),
    ]


def told(error: KailashError) -> list[str]:
    """Return what a person at the terminal is told of a failed run: the inputs of the node, secrets masked."""
    if not isinstance(error, WorkflowExecutionError) or not error.node_id:
        return []
    cause = error.__cause__
    lines = []
    if cause is not None and not isinstance(cause, KailashError):
        lines.append(f"  cause: {type(cause).__name__}: {output.cell(str(cause))}")
    lines += [f"  input {name}: {output.cell(_shown(name, value))}" for name, value in error.inputs.items()]
    if done := [each for each in error.results if each != error.node_id]:
        lines.append(f"  finished before: {', '.join(map(output.cell, done))}")
    return lines


def _shown(name: str, value: Any) -> str:
    try:
        text = shapes.encode_json(masking.masked(name, value)).decode()
    except (KailashError, TypeError, ValueError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def _desk() -> Desk:
    return click.get_current_context().ensure_object(Desk)


def _offered(desk: Desk) -> dict[str, Capability]:
    desk.application().discover()
    return {each.name: each for each in desk.catalogue.values() if not each.resource}


def _found(desk: Desk, name: str) -> Capability:
    offered = _offered(desk)
    if name not in offered:
        hint = did_you_mean(name, offered) if offered else "this application has none: see Nexus.register"
        raise NoSuchCapabilityError(f"no workflow is named {name!r}", hint=hint)
    return offered[name]


def _workflows(name: str | None, **settings: Any) -> None:
    desk = _desk()
    desk.note(settings)
    if name is not None:
        found = _found(desk, name)
        about = {"name": found.name, "summary": found.summary, "inputs": found.inputs.schema()}
        picture = found.picture() if found.picture is not None else ""
        output.show(desk.screen, about | ({"mermaid": picture} if picture else {}))
        return
    rows = [
        {"name": each.name, "inputs": ", ".join(each.inputs.schema().get("properties", ())), "summary": each.summary}
        for each in _offered(desk).values()
    ]
    output.table(desk.screen, rows, ("name", "inputs", "summary"))


def _run(name: str, inputs: Sequence[str], data: str | None, watch: bool, key: str | None, **settings: Any) -> None:  # noqa: FBT001 - click gives them by name
    desk = _desk()
    desk.note(settings)
    capability = _found(desk, name)
    given = _given(capability, inputs, data)
    key = key or (_new_key() if capability.nature is not Nature.READ else "")
    with desk.loop() as run:
        try:
            value = run(_watched(desk, name, given, key, show=watch))
        except WorkflowExecutionError:
            if key and desk.application().options.enable_durability:
                desk.say(f"to go on where it failed, run it again with the same inputs and --key {key}")
            raise
    output.show(desk.screen, value)


async def _watched(desk: Desk, name: str, given: Mapping[str, Any], key: str, *, show: bool) -> Mapping[str, Any]:
    if not show:
        return await desk.ask_for(name, given, Ticket(idempotency_key=key) if key else None)
    with watch.shown(sys.stderr, color=desk.colored) as hear:
        return await desk.ask_for(name, given, Ticket(idempotency_key=key, progress=hear))


def _jobs(**settings: Any) -> None:
    desk = _desk()
    desk.note(settings)
    with desk.loop() as run:
        value = run(desk.ask_for(":jobs.list", {}))
    output.table(desk.screen, value["jobs"], ("id", "workflow", "status", "began", "ended", "steps"))


def _new_key() -> str:
    return os.urandom(6).hex()


def _given(capability: Capability, inputs: Sequence[str], data: str | None) -> dict[str, Any]:
    """Return the inputs that the command line spells. Raises: InvalidInputError, MalformedJSONError."""
    given: dict[str, Any] = {}
    if data is not None:
        read = shapes.decode_json(sys.stdin.buffer.read() if data == "-" else data.encode())
        if not isinstance(read, dict):
            raise InvalidInputError("--data is no JSON object", hint="""give --data '{"name": ...}'""")
        given |= read
    properties = capability.inputs.schema().get("properties", {})
    for each in inputs:
        name, sign, text = each.partition("=")
        if not sign or not name:
            raise InvalidInputError(f"--input {each!r} has no value", hint="spell it --input name=value")
        node, dot, inner = name.partition(".")
        if dot and name not in properties:
            given.setdefault(node, {})[inner] = _value({}, text)
        else:
            given[name] = _value(properties.get(name, {}), text)
    return given


def _value(schema: Mapping[str, Any], text: str) -> Any:
    """Return what *text* means: text where the schema says text, else JSON where it is JSON."""
    kinds = schema.get("type", ())
    if "string" in ([kinds] if isinstance(kinds, str) else kinds):
        return text
    try:
        return shapes.decode_json(text.encode())
    except KailashError:
        return text
