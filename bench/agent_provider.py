"""A provider on loopback that answers at once from a script, and knows when it was asked and when it had answered."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self

from bench.load import LoadFailedError
from beyond_agent_core.testing import model_server_answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_wire.types import Turn

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


class Exchange(NamedTuple):
    """Monotonic seconds: the first byte of a request was read, the last of its answer was handed to the kernel."""

    asked: float
    answered: float


class Provider:
    """Speaks Anthropic's format at `port`. The answers to the requests are `script`, from its start after `rewind`.

    A None in the script begins an answer that never goes on; `stalled` says that this has been reached. Streams are
    encoded before they are asked for.
    """

    def __init__(self, script: Sequence[Turn | None]) -> None:
        streams = [None if turn is None else model_server_answers.stream("anthropic", turn) for turn in script]
        self._answers = [None if each is None else b"".join(each) for each in streams]
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = int(self._socket.getsockname()[1])
        self.exchanges: list[Exchange] = []
        self.stalled = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="provider", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def rewind(self) -> None:
        """Answer from the start again."""
        self.exchanges.clear()
        self.stalled.clear()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(1 << 16):
                asked = time.monotonic()
                while b"\r\n\r\n" not in data:
                    data += connection.recv(1 << 16)
                head, _, body = data.partition(b"\r\n\r\n")
                lines = head.lower().split(b"\r\n")
                left = next(int(line[15:]) for line in lines if line.startswith(b"content-length:")) - len(body)
                while left > 0:
                    left -= len(connection.recv(1 << 16))
                answer = self._answers[len(self.exchanges)]
                if answer is None:
                    connection.sendall(ENDLESS + b": waiting\n\n")
                    self.stalled.set()
                    connection.recv(1)
                    return
                # Noted before the client can have read it, and come back.
                self.exchanges.append(Exchange(asked, time.monotonic()))
                connection.sendall(HEAD % len(answer) + answer)

    def gaps_s(self) -> list[float]:
        """Seconds between each answer and the request that followed. Raises LoadFailedError where some never came."""
        if len(self.exchanges) != len(self._answers):
            raise LoadFailedError(f"the agent asked {len(self.exchanges)} times instead of {len(self._answers)}")
        pairs = zip(self.exchanges, self.exchanges[1:], strict=False)
        return [after.asked - before.answered for before, after in pairs]
