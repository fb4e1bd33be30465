"""Start, pin, await and stop the processes that take part in a run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

START_LIMIT_S = 20.0


class StartFailedError(RuntimeError):
    """A server did not listen in time or ended early; the text holds the end of what it wrote."""


@dataclass(frozen=True, slots=True)
class Server:
    """One running process tree and the loopback port it answers on."""

    name: str
    port: int
    pid: int


def free_port() -> int:
    """A loopback port that nothing listens on at the moment of asking."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def started(
    name: str, command: Sequence[str], *, port: int, core: int, tmp: Path, limit_s: float = START_LIMIT_S
) -> Generator[Server]:
    """Run `command` pinned to `core` until the block ends; yields once `port` accepts connections.

    Standard output goes to TMP/NAME-PORT.out and standard error to TMP/NAME-PORT.err. Raises StartFailedError.
    """
    out, err = tmp / f"{name}-{port}.out", tmp / f"{name}-{port}.err"
    with out.open("wb") as out_file, err.open("wb") as err_file:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            stdout=out_file,
            stderr=err_file,
            env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"},
        )
    try:
        _await_port(process, Server(name, port, process.pid), err, limit_s)
        yield Server(name, port, process.pid)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and its session: politely for two seconds, then not, so that no worker outlives its section."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(2)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _await_port(process: subprocess.Popen[bytes], server: Server, err: Path, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
        except OSError:
            time.sleep(0.005)
        else:
            return
    tail = err.read_text(encoding="utf-8", errors="replace")[-1500:]
    raise StartFailedError(f"{server.name} did not listen on port {server.port}:\n{tail}")
