"""A capability as a command: words to a `Call`, an `Outcome` to values.

Rule: a command adds nothing to its capability but words. What it asks besides (how many records a deletion means,
what a dry run would meet) it asks of other capabilities, through the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
import msgspec

from kailash.capability import Capability, Nature
from kailash.errors import InvalidFilterError, InvalidInputError, KailashError, Kind, Problem, did_you_mean
from nexus.channels.cli import files, flags, output, verbs
from nexus.channels.cli.desk import Desk, Manner
from nexus.channels.cli.flags import Flag, Use
from nexus.channels.cli.formats import Format

PAGE = 1000  # records a call when everything is asked for; arbitrary: large enough that the calls do not show
SETTINGS = ("output", "quiet", "verbose", "no_color")
BESIDES = frozenset({"found", "updated", "rows_affected"})  # said of a record, and no field of it


class UnknownCommandError(KailashError):
    """The program has no such word."""

    kind = Kind.INVALID
    code = "no_such_capability"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One command line, read: the capability, its inputs, and how to go about it."""

    capability: Capability
    verb: verbs.Verb
    inputs: Mapping[str, Any]
    everything: bool = False  # every page of a list; every record of a bulk change
    dry: bool = False


def settings() -> list[click.Option]:
    """Return the options that stand at the program's own level and at every command."""
    return [
        click.Option(["--output", "-o"], type=Manner(), envvar="NEXUS_OUTPUT", help="How values are written."),
        click.Option(["--quiet", "-q"], is_flag=True, default=None, help="Values only; no messages."),
        click.Option(["--verbose", "-v"], is_flag=True, default=None, help="Say what is done, and how long it takes."),
        click.Option(["--no-color"], is_flag=True, default=None, help="No color (so does NO_COLOR)."),
    ]


class ResourceGroup(click.Group):
    """``nexus products``: one command for each capability of a resource, made when it is asked for."""

    def __init__(self, resource: str, capabilities: Sequence[Capability]) -> None:
        self._by_word = {verbs.verb_of(each).word: each for each in verbs.order(capabilities)}
        summary = f"{', '.join(self._by_word)}."
        super().__init__(verbs.dashed(resource), help=f"Work with {resource}.", short_help=summary)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._by_word)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        capability = self._by_word.get(verbs.dashed(cmd_name))
        return CapabilityCommand(capability) if capability is not None else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise UnknownCommandError(
                f"{self.name} has no command {args[0]!r}", hint=did_you_mean(args[0], self._by_word)
            )
        return super().resolve_command(ctx, args)


class CapabilityCommand(click.Command):
    """``nexus products list``: the flags of one capability."""

    def __init__(self, capability: Capability) -> None:
        self._capability = capability
        self._verb = verbs.verb_of(capability)
        own = [*_own_parameters(capability, self._verb), *settings()]
        reserved = {"--help", *(word for parameter in own for word in parameter.opts)}
        made = flags.flags(capability, self._verb, reserved)
        self._flags = {f"flag_{number}": flag for number, flag in enumerate(made)}
        super().__init__(
            self._verb.word,
            params=[*(_option(name, flag) for name, flag in self._flags.items()), *own],
            help=capability.summary,
            epilog=_epilog(self._verb),
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as fault:
            raise self._unknown(fault.option_name) from None

    def invoke(self, ctx: click.Context) -> None:
        desk = ctx.find_object(Desk) or Desk()
        given = dict(ctx.params)
        desk.note({name: given.get(name) for name in (*SETTINGS, "yes")})
        request = self._read(given)
        perform(desk, request)

    def _read(self, given: Mapping[str, Any]) -> Request:
        chosen = [(flag, given[name]) for name, flag in self._flags.items() if given[name] not in (None, ())]
        inputs = read_inputs(self._capability, self._verb, given, chosen)
        return Request(
            capability=self._capability,
            verb=self._verb,
            inputs=inputs,
            everything=bool(given.get("everything")),
            dry=bool(given.get("dry_run")),
        )

    def _unknown(self, spelled: str) -> Exception:
        """Return what is said of a flag that does not exist, under the code that an unknown field has everywhere."""
        name = spelled.lstrip("-").replace("-", "_")
        own = [each.opts[0] for each in self.params if isinstance(each, click.Option) and not each.hidden]
        hint = did_you_mean(spelled, own)
        message = f"{self._capability.name} has no {spelled}"
        if self._verb.filters and not self._verb.changes:
            return InvalidFilterError(message, hint=hint, problems=[Problem(name, "unknown_field", message)])
        return InvalidInputError(message, hint=hint, problems=[Problem(name, "unknown_field", message)])


def read_inputs(
    capability: Capability, verb: verbs.Verb, given: Mapping[str, Any], chosen: Sequence[tuple[Flag, Any]]
) -> dict[str, Any]:
    """Return the inputs that a command line asks for.

    given: the command's own parameters. chosen: the flags of the capability that were used, with their words.
    Raises: InvalidInputError; InvalidFilterError; MalformedJSONError; what `files.read_records` raises.
    """
    inputs = flags.read_inputs(capability, [(flag, word) for flag, word in chosen if flag.use is Use.INPUT])
    if verb.identified:
        inputs["id"] = flags.read_values(capability, {"id": given["id"]})["id"]
    if verb.filters:
        inputs.update(_filter(capability, given, chosen))
    if verb.values or verb.changes:
        inputs.update(_changes(capability, verb, given, chosen))
    if verb.file and given.get("file"):
        inputs["data"] = files.read_records(
            given["file"], given.get("format"), lambda cells: flags.read_values(capability, cells)
        )
    if verb.whole and given.get("everything"):
        inputs["confirmed"] = True
    return inputs


def perform(desk: Desk, request: Request) -> None:
    """Do what was asked, or say what it would do, and write the values that come of it."""
    with desk.loop() as run:
        try:
            if request.dry:
                return run(_rehearse(desk, request))
            if request.capability.nature is Nature.DESTROY:
                request.capability.inputs.accept(request.inputs)
                desk.confirm(run(_deed(desk, request)))
            return run(_carry_out(desk, request))
        except KailashError as error:
            if error.kind is Kind.UNCONFIRMED and request.verb.whole and "confirmed" not in request.inputs:
                error.hint = "say which records with a filter, or pass --all and --yes"  # in this channel's own words
            raise


async def _carry_out(desk: Desk, request: Request) -> None:
    if request.capability.action == "list":
        return await _list(desk, request)
    value = await desk.ask(request.capability, request.inputs)
    _write(desk, request, value)
    if value.get("success") is False:
        raise click.exceptions.Exit(1)
    return None


def _own_parameters(capability: Capability, verb: verbs.Verb) -> list[click.Parameter]:
    own: list[click.Parameter] = [click.Argument(["id"])] if verb.identified else []
    if verb.filters:
        own += [
            click.Option(["--filter"], metavar="JSON", help="""Records meant, as '{"price": {"$gte": 5}}'."""),
            click.Option(["--where"], multiple=True, metavar="FIELD__OP=VALUE", help="Records meant; may be repeated."),
        ]
    if verb.values or verb.changes:
        shown = "FIELD=VALUE|JSON|-"
        own.append(click.Option(["--set"], multiple=True, metavar=shown, help="More values; JSON may hold null."))
    if verb.match:
        own += [
            click.Option(["--conflict-on"], metavar="FIELD,...", help="The fields that say which record is meant."),
            click.Option(["--match"], metavar="JSON", help="Which record is meant, spelled out."),
            click.Option(["--create"], metavar="JSON", help="Values if it is new."),
            click.Option(["--update"], metavar="JSON", help="Changes if it is there."),
        ]
    if verb.file:
        own += [
            click.Option(["--file", "-f"], required=verb.file_required, metavar="FILE|-", help="JSON, NDJSON or CSV."),
            click.Option(["--format"], type=Manner(*files.FORMATS), help="What the file is."),
        ]
    return own + _switches(capability, verb)


def _switches(capability: Capability, verb: verbs.Verb) -> list[click.Parameter]:
    own: list[click.Parameter] = []
    if verb.whole:
        own.append(click.Option(["--all", "everything"], is_flag=True, help="Every record, when no filter is given."))
    if capability.action == "list":
        own.append(click.Option(["--all", "everything"], is_flag=True, help="Every page; --limit is its size."))
    if capability.nature is not Nature.READ:
        own.append(click.Option(["--dry-run"], is_flag=True, help="Check, and say what would happen."))
    if capability.nature is Nature.DESTROY:
        own.append(click.Option(["--yes", "-y"], is_flag=True, default=None, help="Do not ask."))
    return own


def _option(name: str, flag: Flag) -> click.Option:
    boolean = flag.schema.get("type") == "boolean"
    alone: dict[str, Any] = {"is_flag": False, "flag_value": "true"} if boolean else {}  # --active, --active false
    return click.Option(
        [flag.spelled, name],
        type=click.STRING,
        **alone,
        multiple=flag.use is Use.FILTER,
        hidden=flag.hidden,
        help=flag.summary,
        metavar=flags.metavar(flag),
    )


def _epilog(verb: verbs.Verb) -> str | None:
    if not verb.filters:
        return None
    return f"Each field also takes an operator, as --price-gte 100 does: {', '.join(sorted(flags.LOOKUPS))}."


def _filter(capability: Capability, given: Mapping[str, Any], chosen: Sequence[tuple[Flag, Any]]) -> dict[str, Any]:
    pairs = [flags.read_pair("--where", text) for text in given["where"]]
    pairs += [(flag.name, word) for flag, words in chosen if flag.use is Use.FILTER for word in words]
    where = flags.read_filter(capability, given["filter"], pairs)
    return {} if where is None else {"filter": where}


def _changes(
    capability: Capability,
    verb: verbs.Verb,
    given: Mapping[str, Any],
    chosen: Sequence[tuple[Flag, Any]],
) -> dict[str, Any]:
    values = _set(capability, given["set"])
    values |= flags.read_values(capability, {flag.name: word for flag, word in chosen if flag.use is Use.VALUE})
    if verb.match:
        return _upsert(given, values)
    if verb.identified:
        return {"fields": values}
    if verb.changes:
        return {"fields": values} if given["set"] or not given.get("file") else {}
    return values


def _set(capability: Capability, texts: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    words: dict[str, str] = {}
    for text in texts:
        if text == files.STDIN:
            values |= flags.read_object("--set -", files.read_text(text))
        elif text.lstrip().startswith("{"):
            values |= flags.read_object("--set", text)
        else:
            words.update([flags.read_pair("--set", text)])
    return values | flags.read_values(capability, words)


def _upsert(given: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the three parts of an upsert: spelled out, or all of them from the flags and ``--conflict-on``."""
    parts = {name: given[name] for name in ("match", "create", "update") if given[name] is not None}
    read = {name: flags.read_object(f"--{name}", text) for name, text in parts.items()}
    match = read.get("match", _keys(given["conflict_on"] or ("id" if "id" in values else ""), values))
    rest = {name: value for name, value in values.items() if name not in match}
    where = {"where": match} if match else {}
    return {**where, "create": {**rest, **read.get("create", {})}, "update": {**rest, **read.get("update", {})}}


def _keys(names: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values by which an upsert knows its record. Without *names* the capability knows them, or says so."""
    keys = [name.strip() for name in names.split(",") if name.strip()]
    if missing := [name for name in keys if name not in values]:
        problems = [Problem(name, "missing", f"{name!r} is missing") for name in missing]
        raise InvalidInputError(f"--conflict-on needs a value of {', '.join(missing)}", problems=problems)
    return {name: values[name] for name in keys}


async def _deed(desk: Desk, request: Request) -> str:
    """Return what a person is asked to agree to."""
    deed = f"{request.capability.resource} {request.verb.word}"
    if request.verb.identified:
        return f"{deed} {request.inputs['id']}"
    counted = await _count(desk, request)
    return deed if counted is None else f"{deed} of {counted} record{'' if counted == 1 else 's'}"


async def _count(desk: Desk, request: Request) -> int | None:
    """Return how many records a bulk change means; None when that cannot be told."""
    if "ids" in request.inputs:
        return len(request.inputs["ids"])
    count = desk.sibling(request.capability, "count")
    if count is None:
        return None
    asked = {"filter": request.inputs["filter"]} if "filter" in request.inputs else {}
    return int((await desk.ask(count, asked))["count"])


async def _rehearse(desk: Desk, request: Request) -> None:
    """Check the inputs and say what would happen. Nothing is written; what only writing can tell is said to be so."""
    request.capability.inputs.accept(request.inputs)
    action = verbs.verb_of(request.capability).word
    if request.verb.identified and (read := desk.sibling(request.capability, "read")) is not None:
        now = await desk.ask(read, {"id": request.inputs["id"]})
        output.show(desk.screen, _record(read, now))
        return desk.say(f"dry run: {action} would meet this record; nothing was changed")
    if request.verb.filters and "data" not in request.inputs:
        output.show(desk.screen, {"count": await _count(desk, request)})
        return desk.say(f"dry run: {action} would meet that many records; nothing was changed")
    rows = request.inputs.get("data")
    output.show(desk.screen, {"accepted": 1 if rows is None else len(rows)})
    return desk.say("dry run: the values are acceptable; whether they clash with stored records shows only on writing")


async def _list(desk: Desk, request: Request) -> None:
    inputs = dict(request.inputs)
    if request.everything and "limit" not in inputs:
        inputs["limit"] = min(PAGE, _largest_page(request.capability))
    columns = inputs.get("fields") or (request.capability.record.fields if request.capability.record else ())
    screen = desk.screen
    out = output.writer(screen, columns)
    while True:
        page = await desk.ask(request.capability, inputs)
        out.rows(page.get("records", ()))
        cursor = page.get("next_cursor")
        if not request.everything or cursor is None:
            break
        inputs = {name: value for name, value in inputs.items() if name not in {"offset", "count"}} | {"cursor": cursor}
    total = {"total": page["total"]} if page.get("total") is not None else {}
    out.end({"next": cursor, **total})
    _remark(desk, screen, page, everything=request.everything)


def _largest_page(capability: Capability) -> int:
    limit = capability.inputs.schema().get("properties", {}).get("limit", {})
    options = [limit, *limit.get("anyOf", ())]
    return int(next((each["maximum"] for each in options if "maximum" in each), PAGE))


def _remark(desk: Desk, screen: output.Screen, page: Mapping[str, Any], *, everything: bool) -> None:
    if screen.format is Format.JSON or everything:
        return
    if page.get("total") is not None:
        desk.say(f"{page['total']} in all")
    if page.get("next_cursor") is not None:
        desk.say(f"there is more: add --cursor {page['next_cursor']}, or --all")
    elif not page.get("records"):
        desk.say("no records")


def _write(desk: Desk, request: Request, value: Mapping[str, Any]) -> None:
    screen = desk.screen
    action = request.capability.action
    structured = screen.format in {Format.JSON, Format.NDJSON}
    if action == "count" and screen.format is Format.TABLE:
        screen.stream.write(f"{value['count']}\n")
    elif action == "aggregate":
        groups = value["groups"]
        out = output.writer(screen, groups[0] if groups else ())
        out.rows(groups)
        out.end({})
    elif action == "upsert" and not structured:
        output.show(screen, value["record"])
        desk.say(str(value["action"]))
    else:
        output.show(screen, _record(request.capability, value))


def _record(capability: Capability, value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *value* without what is said about a record, where it is one."""
    if capability.record is None or capability.action not in {"create", "read", "update"}:
        return value
    return {name: item for name, item in value.items() if name in capability.record.fields or name not in BESIDES}
