"""A model over loopback HTTP that plays a script, in all three dialects: for tests of clients and of gateways.

It runs in threads of its own, a blocking one for each connection, so that any test may use it, with an event loop or
without, and so that a client which blocks its loop cannot stop it. The standard library serves; no HTTP library that a
client under test may also use is in the way.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Final, Self

from beyond_agent_core.testing import model_server_answers as answers
from beyond_agent_core.testing.model_server_http import chunk, head, read_request
from beyond_agent_core.testing.model_server_script import BrokenStream, Raw, Status, error_status, served
from beyond_wire.types import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from ssl import SSLContext
    from types import TracebackType

    from beyond_agent_core.testing.model_server_script import Asked, Entry, Reply
    from beyond_wire.types import DialectName

KEEP_ALIVE_S: Final = 0.01
"""Seconds between two keep-alives."""
_STREAM: Final = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}


class ModelServer:
    """Answers the requests at `url` from a script, in order. Use it in a `with` block.

    `requests` records what came. `accepted` counts connections, `left` those that the client ended before an answer
    had its end; `until` waits for such a fact. Behind the script's end every request gets a 500 that names its number.
    """

    def __init__(self, script: Iterable[Entry], *, tls: SSLContext | None = None) -> None:
        self.requests: list[Asked] = []
        self.accepted = 0
        self.left = 0
        self._script = iter(script)
        self._tls = tls
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.port}"

    def __repr__(self) -> str:
        return f"<ModelServer {self.url} requests={len(self.requests)} accepted={self.accepted} left={self.left}>"

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # A listener that is only closed would not wake the thread that accepts.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        with self._changed:
            waiting = list(self._open)
        for connection in waiting:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def until(self, fact: Callable[[ModelServer], bool], seconds: float = 10.0) -> bool:
        """Wait until `fact` holds of this server; return whether it does. From an event loop, call it in a thread."""
        with self._changed:
            return self._changed.wait_for(lambda: fact(self), seconds)

    def _spawn(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="model-server", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._changed:
                    number, self.accepted = self.accepted, self.accepted + 1
                    self._open.add(connection)
                    self._changed.notify_all()
                self._spawn(self._serve, connection, number)

    def _serve(self, plain: socket.socket, number: int) -> None:
        connection = plain
        # A client that leaves, or refuses our certificate, is what tests are about.
        with contextlib.suppress(OSError):
            try:
                if self._tls is not None:
                    # Known before the handshake, which may never end.
                    connection = self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
                    with self._changed:
                        self._open.add(connection)
                    connection.do_handshake()
                while (asked := read_request(connection, number)) is not None:
                    with self._changed:
                        self.requests.append(asked)
                        entry = next(self._script, None)
                        count = len(self.requests)
                        self._changed.notify_all()
                    reply = entry(asked) if callable(entry) else entry
                    fallback = error_status(500, f"request {count} has no answer in the script")
                    if not self._answer(connection, asked, fallback if reply is None else reply):
                        break
            finally:
                with self._changed:
                    self._open -= {plain, connection}
                connection.close()
                plain.close()

    def _answer(self, connection: socket.socket, asked: Asked, reply: Reply) -> bool:
        """Send an answer; return whether the connection may have another request."""
        reply = served(reply)
        if isinstance(reply, Raw):
            connection.sendall(reply.data)
            return False
        dialect = asked.dialect
        if dialect is None and not isinstance(reply, Status):
            reply = error_status(404, f"no model at {asked.path}", type="not_found_error")
        try:
            match reply:
                case Status():
                    length = {"content-length": str(len(reply.body))}
                    connection.sendall(head(reply.status, {**reply.headers, **length}) + reply.body)
                case Turn():
                    self._tell(connection, asked, dialect or "chat", reply)
                case BrokenStream():
                    self._break(connection, dialect or "chat", reply)
                    return False
        except OSError:
            self._note_left()
            raise
        return asked.headers.get("connection", "").lower() != "close"

    def _tell(self, connection: socket.socket, asked: Asked, dialect: DialectName, turn: Turn) -> None:
        if asked.json.get("stream") is not True:
            whole = answers.body(dialect, turn)
            fields = {"content-type": "application/json", "content-length": str(len(whole))}
            connection.sendall(head(200, fields) + whole)
            return
        connection.sendall(head(200, _STREAM))
        for event in answers.stream(dialect, turn):
            connection.sendall(chunk(event))
        connection.sendall(chunk(b""))

    def _break(self, connection: socket.socket, dialect: DialectName, broken: BrokenStream) -> None:
        connection.sendall(head(200, _STREAM))
        for event in answers.stream(dialect, broken.turn)[: broken.after]:
            connection.sendall(chunk(event))
        match broken.then:
            case "cut":
                return
            case "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case "error":
                event = answers.stream_error(dialect, broken.error_type, broken.error_message)
                connection.sendall(chunk(event) + chunk(b""))
            case "stall" | "keep_alives":
                self._wait_for_its_end(connection, keep_alives=broken.then == "keep_alives")

    def _wait_for_its_end(self, connection: socket.socket, *, keep_alives: bool) -> None:
        """Send nothing more, or comments, until the client leaves."""
        connection.settimeout(KEEP_ALIVE_S if keep_alives else None)
        while True:
            try:
                if not connection.recv(1):
                    break
            except TimeoutError:
                connection.sendall(chunk(b": keep-alive\n\n"))
        self._note_left()

    def _note_left(self) -> None:
        with self._changed:
            self.left += 1
            self._changed.notify_all()
