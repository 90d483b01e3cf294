"""Programs under measurement: started, watched and asked from outside."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import psutil

from benchmarks import harness

HERE: Final = Path(__file__).parent
OURS: Final = "benchmarks.ours_app"
LIMIT: Final = "benchmarks.limits.fastapi_app"


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(url: str, models: int) -> dict[str, str]:
    """Return what both programs are told."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    told = {"DATABASE_URL": url, "LIMIT_DSN": url, "BENCH_MODELS": str(models), "LIMIT_MODELS": str(models)}
    return {**inherited, **told}


@contextmanager
def serving(module: str, url: str, models: int = 1) -> Iterator[tuple[psutil.Process, int]]:
    """Run a server until the end of the block; gives the process and its port, once it is connected to."""
    port, other = free_port(), free_port()
    program = subprocess.Popen(
        [sys.executable, "-m", module, str(port), str(other)], cwd=HERE.parent, env=environment(url, models)
    )
    try:
        connected(port)
        yield psutil.Process(program.pid), port
    finally:
        program.kill()  # a server that closes in good order waits for the connections of a failed measurement
        program.wait(20)


def connected(port: int, seconds: float = 60.0) -> None:
    """Wait until somebody listens on *port*."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.002)
    raise TimeoutError(f"nothing listens on port {port}")


def cold_start(module: str, url: str, models: int, path: str, folder: Path = HERE.parent) -> float:
    """Return the seconds from exec of a module of *folder* to the first answer 200 to a request for *path*."""
    port, other = free_port(), free_port()
    began = time.perf_counter()
    program = subprocess.Popen(
        [sys.executable, "-m", module, str(port), str(other)], cwd=folder, env=environment(url, models)
    )
    try:
        while not _answers(port, path):
            time.sleep(0.001)
        return time.perf_counter() - began
    finally:
        program.kill()
        program.wait(20)


def _answers(port: int, path: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def imported(module: str) -> float:
    """Return the seconds that an interpreter takes that imports *module* ("" for none)."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}" if module else "pass"], check=True, env=environment("", 1))
    return time.perf_counter() - began


def peak(words: list[str], url: str) -> int:
    """Run a command to its end, its output thrown away; return the most memory that it held, in bytes."""
    measure = (
        "import resource, subprocess, sys;"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", measure, *words],
        cwd=HERE.parent,
        env=environment(url, 1),
        capture_output=True,
        check=True,
    )
    return int(ran.stdout) * (1 if sys.platform == "darwin" else 1024)


class Client(asyncio.Protocol):
    """One HTTP/1.1 connection that sends a request as soon as the last one is answered."""

    def __init__(self, request: Callable[[], bytes], count: int) -> None:
        self._request, self._left = request, count
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one, but no subclass
        self._transport.write(self._request())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        if not head.startswith(b"HTTP/1.1 20"):
            self._transport.close()
            self.done.set_exception(AssertionError((head + rest).decode()))
            return
        self._buffer, self._left = b"", self._left - 1
        if self._left:
            self._transport.write(self._request())
        else:
            self._transport.close()
            self.done.set_result(None)


async def load(
    process: psutil.Process, port: int, request: Callable[[], bytes], connections: int, count: int
) -> harness.Sample:
    """Send *count* requests, each made anew; return seconds a request, wall and the server's processor time."""
    loop = asyncio.get_running_loop()
    before, began = process.cpu_times(), time.perf_counter()
    share = count // connections
    clients = [
        (await loop.create_connection(lambda: Client(request, share), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    await asyncio.gather(*[client.done for client in clients])
    wall, after = time.perf_counter() - began, process.cpu_times()
    cpu = after.user + after.system - before.user - before.system
    return harness.Sample(wall / (share * connections), cpu / (share * connections))


def own_peak() -> int:
    """Return the most memory that this process held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
