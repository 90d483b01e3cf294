"""The tree of words, the exit codes, and where errors go.

To add a command: write a `click.Command` in a module of this package, and name it in `COMMANDS`.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any, Final, NoReturn

import click

from dataflow._version import __version__
from dataflow.cli.desk import Desk, settings
from kailash import shapes
from kailash.errors import KailashError, Kind, did_you_mean

INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
BROKEN_PIPE: Final = 141  # 128 + SIGPIPE

# The same as those of `nexus`: one kind of error, one exit code, whichever program ends with it.
EXITS: Final[Mapping[Kind, int]] = {
    Kind.MALFORMED: 2,
    Kind.INVALID: 2,
    Kind.UNAUTHENTICATED: 3,
    Kind.DENIED: 3,
    Kind.NOT_FOUND: 4,
    Kind.CONFLICT: 5,
    Kind.STALE: 5,
    Kind.TOO_LARGE: 2,
    Kind.UNCONFIRMED: 6,
    Kind.LIMITED: 7,
    Kind.UNSUPPORTED: 8,
    Kind.TIMEOUT: 7,
    Kind.UNAVAILABLE: 7,
    Kind.FAULT: 1,
}

COMMANDS: Final[Mapping[str, str]] = {  # in the order of the help: word -> module:attribute
    "status": "dataflow.cli.looking:status",
    "plan": "dataflow.cli.changing:plan",
    "migrate": "dataflow.cli.changing:migrate",
    "history": "dataflow.cli.looking:history",
    "rollback": "dataflow.cli.changing:rollback",
    "rehearse": "dataflow.cli.changing:rehearse",
    "registry": "dataflow.cli.looking:registry",
    "discover": "dataflow.cli.finding:discover",
    "verify": "dataflow.cli.finding:verify",
    "audit": "dataflow.cli.auditing:audit",
    "rekey": "dataflow.cli.rekeying:rekey",
    "doctor": "dataflow.cli.doctor:doctor",
    "upgrade": "dataflow.cli.upgrading:upgrade",
}


class CommandLineError(KailashError):
    """The command line cannot be read."""

    kind = Kind.INVALID
    code = "usage"


class Program(click.Group):
    """``dataflow``: a command is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            hint = did_you_mean(args[0], COMMANDS, most=30)
            raise CommandLineError(f"dataflow has no command {args[0]!r}", hint=hint)
        return args[0] if command else None, command, args[1:]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program and end the process."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str], database: Any = None) -> int:
    """Run one command line; return its exit code.

    database: the `DataFlow` to work with, instead of looking for one.
    """
    desk = Desk(database)
    try:
        code = program().main(list(arguments), prog_name="dataflow", standalone_mode=False, obj=desk)
        sys.stdout.flush()
    except click.Abort:  # a question without an answer; what follows begins a line
        click.echo(err=True)
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
        return BROKEN_PIPE
    except click.exceptions.NoArgsIsHelpError as fault:
        fault.show()
        return fault.exit_code
    except click.ClickException as fault:
        message = fault.format_message().strip().removesuffix(".")
        return _tell(CommandLineError(message[:1].lower() + message[1:]), arguments, usage=_usage(fault))
    except KailashError as error:
        return _tell(error, arguments)
    except Exception as fault:  # noqa: BLE001 - the outermost answer of the program
        told = CommandFaultError(f"something went wrong inside ({type(fault).__name__})", hint="--verbose tells more")
        return _tell(told, arguments, fault)
    finally:
        desk.close()
    return code if isinstance(code, int) else 0


class CommandFaultError(KailashError):
    """A command failed for a reason that is none of ours."""

    code = "command_fault"


def program() -> Program:
    """Return the tree of words."""
    made = Program("dataflow", help="The schema of a database: look, change, go back.", params=settings())
    made.params.append(_version())
    return made


def _version() -> click.Option:
    def show(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if value and not ctx.resilient_parsing:
            click.echo(f"dataflow {__version__}")
            ctx.exit()

    return click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=show, help="Show it.")


def _usage(fault: click.ClickException) -> str:
    ctx = getattr(fault, "ctx", None)
    return f"{ctx.get_usage()}\nTry '{ctx.command_path} --help'." if ctx is not None else ""


def _tell(error: KailashError, arguments: Sequence[str], fault: BaseException | None = None, usage: str = "") -> int:
    """Write *error* to standard error, as a problem document where JSON was asked for; return the exit code."""
    cause = fault or error.__cause__
    if cause is not None and {"--verbose", "-v"} & {*arguments}:
        click.echo("".join(traceback.format_exception(cause)), err=True, nl=False)
    if _asked_for_json(arguments):
        problem = {"type": f"urn:kailash:problem:{error.code}", "detail": error.message, "code": error.code}
        given = {"hint": error.hint, "errors": [*error.problems]}
        click.echo(shapes.encode_json(problem | {name: value for name, value in given.items() if value}), err=True)
    else:
        lines = [usage] if usage else []
        lines += [f"error: {error.message}"]
        lines += [f"  {each.field}: {each.message}" for each in error.problems]
        click.echo("\n".join([*lines, f"hint: {error.hint}"] if error.hint else lines), err=True)
    return EXITS[error.kind]


def _asked_for_json(arguments: Sequence[str]) -> bool:
    """They are read here again, since they may be what is wrong."""
    words = " ".join(arguments).replace("=", " ").split()
    return any(pair in (("--output", "json"), ("-o", "json")) for pair in pairwise(words))
