"""A model endpoint that never answers: when the first byte of the first request came, how long it is, what it cost.

The client is measured at that instant and then killed, so that no client must be told a story it understands.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bench import procfs

if TYPE_CHECKING:
    from collections.abc import Callable

ASKED = (b"/chat/completions", b"/responses", b"/messages")


@dataclass(frozen=True, slots=True)
class FirstRequest:
    """`at` is monotonic seconds; `cpu_s` and `peak_bytes` are those of the client's tree; `body_bytes` as sent."""

    at: float
    cpu_s: float
    peak_bytes: int
    body_bytes: int


class Listener:
    """Takes connections at `port` until its `with` block ends; `measure` gives the client's CPU seconds and peak.

    What asks no model (a look at the server, a list of models) gets an empty 404, so that a client which looks first
    goes on.
    """

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = int(self._socket.getsockname()[1])
        self._lock = threading.Lock()
        self._came = threading.Event()
        self._first: FirstRequest | None = None
        self._pid = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="listener", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def expect(self) -> None:
        """Forget the request before."""
        self._pid, self._first = 0, None
        self._came.clear()

    def first(self, pid: int, limit_s: float, alive: Callable[[], bool]) -> FirstRequest | None:
        """Return the first request of process `pid`; None when it ended, or asked nothing in time."""
        self._pid = pid
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if self._came.wait(0.5):
                return self._first
            if not alive():
                break
        return self._first

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(1 << 16):
                at, head, body = time.monotonic(), b"", data
                cpu_s, peak = (procfs.cpu_seconds(self._pid), _peak_bytes(self._pid)) if self._pid else (0.0, 0)
                while b"\r\n\r\n" not in body:
                    body += connection.recv(1 << 16) or b"\r\n\r\n"
                head, _, body = body.partition(b"\r\n\r\n")
                size = _body_bytes(connection, head.lower(), body)
                target = head.split(b" ", 2)[1].partition(b"?")[0]
                if not (head.startswith(b"POST ") and target.endswith(ASKED)):
                    connection.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                    continue
                with self._lock:
                    if self._first is None:
                        self._first = FirstRequest(at, cpu_s, peak, size)
                self._came.set()


def _body_bytes(connection: socket.socket, head: bytes, body: bytes) -> int:
    """Read the body to its end; its length, framing of chunks included."""
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
    chunked = b"transfer-encoding: chunked" in head
    while len(body) < length or (chunked and not body.endswith(b"0\r\n\r\n")):
        piece = connection.recv(1 << 16)
        if not piece:
            break
        body += piece
    return len(body)


def _peak_bytes(pid: int) -> int:
    """The highest resident memory of each process of the tree so far, added up; pages they share count for each."""
    total = 0
    for member in procfs.tree(pid):
        with suppress(OSError, IndexError):
            status = Path(f"/proc/{member}/status").read_text(encoding="utf-8")
            total += int(status.split("VmHWM:")[1].split()[0]) * 1024
    return total
