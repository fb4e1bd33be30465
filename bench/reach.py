"""Kept connections of this process to each worker of a gateway, and who of the workers holds which.

Which worker accepts a connection is the kernel's choice. The inode of its socket stands in /proc/net/tcp beside the
ports and in /proc/PID/fd of whoever holds it, which tells the two ends of a connection apart from all others.
"""

from __future__ import annotations

import os
import select
import socket
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bench import procfs
from bench.load import LoadFailedError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from bench.servers import Server

# Connections until each of a few workers has one: with two, all sixty on one side would be a coin's sixty heads.
TRIES = 60


class Caller:
    """One kept connection; answers must declare their length."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")
        self.local_port = int(self._socket.getsockname()[1])

    def send(self, request: bytes) -> None:
        """Send a whole request."""
        self._socket.sendall(request)

    def status(self) -> int:
        """Status of the next answer, read to its end. Raises LoadFailedError where the connection ends instead."""
        status, length = 0, 0
        while (line := self._answers.readline()) not in (b"\r\n", b""):
            if not status:
                status = int(line.split()[1])
            elif line[:15].lower() == b"content-length:":
                length = int(line[15:])
        if not line or len(self._answers.read(length)) != length:
            raise LoadFailedError(f"the gateway ended a connection after {status or 'no answer'}")
        return status

    def ask(self, request: bytes) -> int:
        """Status of the answer to one request."""
        self.send(request)
        return self.status()

    def close(self) -> None:
        """End the connection."""
        self._answers.close()
        self._socket.close()


def get(path: str, key: str) -> bytes:
    """A GET under a managed key."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


def workers(server: Server) -> list[int]:
    """Process ids of those who serve: the children of a parent, or the one process."""
    return procfs.tree(server.pid)[1:] or [server.pid]


def holder(server: Server, caller: Caller) -> int | None:
    """Process id of the worker that holds the other end; None where none has accepted it."""
    ours, theirs = f"0100007F:{caller.local_port:04X}", f"0100007F:{server.port:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:])
    inode = next((row[9] for row in rows if row[1] == theirs and row[2] == ours), None)
    return next((pid for pid in workers(server) if f"socket:[{inode}]" in _held(pid)), None)


def _held(pid: int) -> set[str]:
    links: set[str] = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                links.add(str(entry.readlink()))
    return links


def one_each(server: Server, request: bytes) -> dict[int, Caller]:
    """A connection to each worker by its process id, on which `request` was answered. Raises LoadFailedError."""
    wanted, found = set(workers(server)), dict[int, Caller]()
    for _ in range(TRIES):
        caller = Caller(server.port)
        caller.ask(request)
        pid = holder(server, caller)
        if pid is None or pid in found:
            caller.close()
            continue
        found[pid] = caller
        if set(found) == wanted:
            return found
    raise LoadFailedError(f"{TRIES} connections reached {len(found)} of {len(wanted)} workers")


def await_end(pid: int, limit_s: float = 10.0) -> float:
    """The monotonic second at which a process ended. Raises LoadFailedError after `limit_s` seconds."""
    handle = os.pidfd_open(pid)
    try:
        if not select.select([handle], [], [], limit_s)[0]:
            raise LoadFailedError(f"the process did not end within {limit_s:g} s")
        return time.monotonic()
    finally:
        os.close(handle)


@contextmanager
def pinned(core: int) -> Generator[None]:
    """Let this thread run on `core` only, so that what it sends does not take time from the gateway's core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def spread(server: Server, cores: Iterable[int]) -> None:
    """Let every process of a server run on any of `cores`, in place of the one it was started on."""
    for pid in procfs.tree(server.pid):
        os.sched_setaffinity(pid, cores)
