"""The program ``nexus``: its words, its exit codes, and where its errors go.

Rule 1: values go to standard output; everything else goes to standard error.
Rule 2: exit codes are those of `nexus.wire`; a command line that cannot be read is 2, an interrupted one 130.
Rule 3: nothing of the application is imported until a word asks for it. Help lists what it finds and fails at nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from kailash import shapes
from kailash.errors import KailashError, Kind, did_you_mean
from nexus import wire
from nexus._version import __version__
from nexus.channels.cli import commands, doctor, locate, output, programs, runs, verbs
from nexus.channels.cli.desk import Desk
from nexus.channels.cli.formats import Format

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
BROKEN_PIPE = 141  # 128 + SIGPIPE
FORMATS = frozenset(each.value for each in Format)
STRUCTURED = frozenset({Format.JSON.value, Format.NDJSON.value})


class CommandLineError(KailashError):
    """The command line cannot be read."""

    kind = Kind.INVALID
    code = "usage"


class Resources(click.Group):
    """One command for each resource that the application offers."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        desk = desk_of(ctx)
        return [*super().list_commands(ctx), *(desk.resources if desk.trouble is None else ())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        desk = desk_of(ctx)
        if own is not None or desk.trouble is not None:
            return own
        word = verbs.dashed(cmd_name)
        if word in desk.resources:
            return commands.ResourceGroup(word, desk.resources[word])
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            raise self._unknown(ctx, args[0])
        return args[0] if command else None, command, args[1:]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if (trouble := desk_of(ctx).trouble) is not None:
            formatter.write_paragraph()
            formatter.write_text(f"No resources are listed: {trouble}")
            formatter.write("\n")
        super().format_epilog(ctx, formatter)

    def _unknown(self, ctx: click.Context, word: str) -> KailashError:
        desk = desk_of(ctx)
        if desk.trouble is not None:
            return desk.trouble
        hint = did_you_mean(word, self.list_commands(ctx), most=30)
        return commands.UnknownCommandError(f"{ctx.command_path} has no command {word!r}", hint=hint)


class Program(Resources):
    """``nexus``: its own words, the resources, and the resources again under the application's prefix."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        if found is None and cmd_name == _prefix(desk_of(ctx)):
            return Resources(cmd_name, help="Work with the records of this application.")
        return found


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program and end the process."""
    name = Path(sys.argv[0]).stem
    named = name if name.isidentifier() and name != "__main__" else "nexus"  # python -m, python -c
    code = run(sys.argv[1:] if arguments is None else arguments, name=named)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who interrupts twice means the same
    sys.exit(code)


def run(arguments: Sequence[str], application: locate.Application | None = None, *, name: str = "nexus") -> int:
    """Run one command line; return its exit code.

    application: what to work with, instead of looking for one. name: what help calls the program.
    """
    desk = Desk(application)
    try:
        code = program().main(list(arguments), prog_name=name, standalone_mode=False, obj=desk)
        sys.stdout.flush()
    except click.Abort:  # a question without an answer; what follows begins a line
        click.echo(err=True)
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _unread()
    except click.exceptions.NoArgsIsHelpError as fault:
        fault.show()
        return fault.exit_code
    except click.ClickException as fault:
        return _tell(_translated(fault), arguments, usage=_usage(fault))
    except KailashError as error:
        return _tell(error, arguments)
    except Exception as fault:  # noqa: BLE001 - the outermost answer of this channel
        return _tell(wire.translated(fault), arguments, fault)
    return code if isinstance(code, int) else 0


def program() -> Program:
    """Return the tree of words."""
    made = Program(
        "nexus",
        help="Work with a Nexus application: its records, its server, its agents.",
        params=[
            click.Option(
                ["--app", "-a"],
                metavar="MODULE:ATTR",
                is_eager=True,
                expose_value=True,
                callback=_note_app,
                help="The application; else NEXUS_APP, pyproject.toml, app.py or main.py here.",
            ),
            *commands.settings(),
        ],
        callback=_note_settings,
    )
    made.params.append(_version())
    for command in [*programs.programs(), *runs.programs(), doctor.command()]:
        made.add_command(command)
    made.add_command(Resources("model", help="Name a resource whose name is also a command of nexus."))
    return made


def desk_of(ctx: click.Context) -> Desk:
    """Return what this run works with."""
    return ctx.ensure_object(Desk)


def _note_app(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    desk_of(ctx).note({"app": value})
    return value


def _note_settings(**given: Any) -> None:
    desk_of(click.get_current_context()).settings.update(
        {name: value for name, value in given.items() if value is not None}
    )


def _version() -> click.Option:
    def show(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if value and not ctx.resilient_parsing:
            click.echo(f"nexus {__version__}")
            ctx.exit()

    return click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=show, help="Show the version."
    )


def _prefix(desk: Desk) -> str | None:
    return (desk.application().options.cli_command_prefix or None) if desk.trouble is None else None


def _translated(fault: click.ClickException) -> KailashError:
    message = fault.format_message().strip().removesuffix(".")
    return CommandLineError(message[:1].lower() + message[1:])


def _usage(fault: click.ClickException) -> str:
    ctx = getattr(fault, "ctx", None)
    return f"{ctx.get_usage()}\nTry '{ctx.command_path} --help'." if ctx is not None else ""


def _tell(error: KailashError, arguments: Sequence[str], fault: BaseException | None = None, usage: str = "") -> int:
    """Write *error* to standard error, as a problem document where JSON was asked for; return the exit code."""
    if "--verbose" in arguments or "-v" in arguments:
        cause = fault or error.__cause__
        if cause is not None:
            click.echo("".join(traceback.format_exception(cause)), err=True, nl=False)
    if _asked_format(arguments) in STRUCTURED:
        click.echo(shapes.encode_json(wire.problem(error)), err=True)
    else:
        click.echo("\n".join(_sentences(error, usage)), err=True)
    return wire.exit_code(error)


def _sentences(error: KailashError, usage: str) -> list[str]:
    color = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    head = click.style("error", fg="red", bold=True) if color else "error"
    lines = [usage] if usage else []
    lines.append(f"{head}: {output.cell(error.message)}")
    told = [each for each in error.problems if each.message not in error.message]
    lines += [f"  {output.cell(each.field)}: {output.cell(each.message)}" for each in told]
    lines += runs.told(error)
    return [*lines, f"hint: {output.cell(error.hint)}"] if error.hint else lines


def _asked_format(arguments: Sequence[str]) -> str:
    """Return the format that *arguments* ask for; they are read here again since they may be what is wrong."""
    asked = [os.environ.get("NEXUS_OUTPUT", "")]
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word in {"--output", "-o"}:
            asked.append(following)
        elif word.startswith("--output="):
            asked.append(word.partition("=")[2])
    return next((word for word in reversed(asked) if word in FORMATS), "")


def _unread() -> int:
    """End quietly when nobody reads any more: what is still buffered goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE
