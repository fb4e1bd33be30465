"""A provider that a test plays by hand, byte by byte: a listening socket and the connections that it accepts."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stack import WAIT_S, Stack

if TYPE_CHECKING:
    from collections.abc import Generator

JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
USAGE = b'{"model":"m-1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}'


class Line:
    """One connection from the gateway."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        connection.settimeout(WAIT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read_until(self, end: bytes) -> bytes:
        """Bytes up to and with `end`."""
        data = b""
        while not data.endswith(end):
            piece = self.socket.recv(1)
            assert piece, f"the gateway closed after {data!r}"
            data += piece
        return data

    def read_request(self) -> tuple[bytes, bytes]:
        """Head and body of one request, by its Content-Length."""
        head = self.read_until(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head)
        body = b""
        while found and len(body) < int(found[1]):
            body += self.socket.recv(int(found[1]) - len(body))
        return head, body

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, body: bytes = USAGE, head: bytes = JSON_HEAD) -> None:
        """One whole JSON answer."""
        self.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def chunk(self, payload: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(payload), payload))

    def closed(self, seconds: float = WAIT_S) -> bool:
        """Whether the gateway ends this connection, sending nothing more, within `seconds`."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """End the connection with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Peer:
    """The listening side."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.listener.settimeout(WAIT_S)
        self.port = self.listener.getsockname()[1]
        self.lines: list[Line] = []

    def accept(self) -> Line:
        line = Line(self.listener.accept()[0])
        self.lines.append(line)
        return line

    def nobody_comes(self, seconds: float = 0.3) -> bool:
        """Whether no further connection is opened within `seconds`."""
        self.listener.settimeout(seconds)
        try:
            self.lines.append(Line(self.listener.accept()[0]))
        except TimeoutError:
            return True
        finally:
            self.listener.settimeout(WAIT_S)
        return False

    def hang_up(self) -> None:
        """End every connection, and give the gateway time to see it, so that the next request comes on a new one."""
        for line in self.lines:
            line.close()
        if self.lines:
            time.sleep(0.05)
        self.lines.clear()

    def close(self) -> None:
        self.hang_up()
        self.listener.close()


@contextlib.contextmanager
def played(**options: Any) -> Generator[tuple[Stack, Peer]]:
    """Give a gateway whose every provider is one hand-played peer."""
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer()
        try:
            stack = Stack(Path(folder), f"127.0.0.1:{peer.port}", **options)
            try:
                yield stack, peer
            finally:
                peer.close()
                stack.stop()
        finally:
            peer.close()
