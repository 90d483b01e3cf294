"""The program `nexus`, several times, each in a process of its own that begins where the imports are done.

``python commands.py`` reads a list of command lines as JSON, and writes what came of each: its exit code, what it
wrote and what it said. Rule: nothing is begun before the processes part, no thread, no loop, no connection.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import NoReturn

import asyncpg
import sqlalchemy

from dataflow import DataFlow
from nexus import Nexus

LOADED = (DataFlow, Nexus, asyncio, asyncpg, sqlalchemy)  # what every command of an application with a database needs
(PROGRAM,) = entry_points(group="console_scripts", name="nexus")


def run(main: Callable[[], NoReturn], words: list[str]) -> dict[str, object]:
    """Do what the console script does; return what came of it."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1)
            os.dup2(said.fileno(), 2)
            sys.argv = ["nexus", *words]
            main()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0)
        said.seek(0)
        return {"code": code, "out": out.read(), "said": said.read()}


if __name__ == "__main__":
    assert all(LOADED)
    console_script = PROGRAM.load()
    print(json.dumps([run(console_script, words) for words in json.load(sys.stdin)]))
