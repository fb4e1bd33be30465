"""One HTTP/1.1 connection to a server: a request out, a head and pieces of a body in, and again while both sides agree.

h11 keeps the protocol's rules, asyncio's streams move the bytes; here they meet, and here whatever goes wrong on the
wire gets its name. The name depends on how far an answer had come: before its head a failure may be tried again as a
new connection, behind it a part of an answer is void.

The request is written at once and not waited for: a server that refuses a large body answers before it has read it, and
would be waited for in vain.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import h11

from beyond_agent_core.client_faults import failure
from beyond_agent_core.errors import ErrorCode, RunFault
from beyond_agent_core.transport import TransportFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ssl import SSLContext

    from beyond_agent_core.client_target import Origin

READ_BYTES: Final = 65_536
"""Most that is read at once."""
MAX_HEAD: Final = 65_536
"""Longest head of an answer, in bytes; servers send a tenth of it."""
END_WAIT_S: Final = 0.2
"""How long the end of a body is waited for once the answer in it is complete; only to use the connection again."""
ERROR_WAIT_S: Final = 5.0
"""How long the body of an error is waited for: it only explains."""


class Connection:
    """Belongs to one request, or lies idle in a pool. `idle_since` is the pool's."""

    def __init__(
        self, origin: Origin, tls: SSLContext | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.key = (origin, tls)
        self.loop = asyncio.get_running_loop()
        self.idle_since = 0.0
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._byte_idle_s = 0.0
        self._answering = False
        self._ended = False

    def __repr__(self) -> str:
        return f"<Connection {self.key[0].authority} {self._http.our_state}/{self._http.their_state}>"

    async def ask(
        self, target: str, headers: Sequence[tuple[str, str]], body: bytes, *, byte_idle_s: float
    ) -> tuple[int, dict[str, str]]:
        """Send a request; return status and headers of the answer, names in lower case, equal ones joined by commas.

        Raises `TransportFailed`: `request_invalid` for headers that HTTP cannot carry, `connect_failed` for a
        connection that ends or falls silent for `byte_idle_s`, `bad_frame` for an answer that is not HTTP.
        """
        self._byte_idle_s = byte_idle_s
        self._answering = False
        try:
            head = self._http.send(h11.Request(method="POST", target=target, headers=list(headers)))
        except h11.LocalProtocolError:
            # The cause would quote the header, and one of them is the key.
            raise self._failed("request_invalid", "a header cannot be sent") from None
        self._writer.write(head or b"")
        self._writer.write(self._http.send(h11.Data(data=body)) or b"")
        self._writer.write(self._http.send(h11.EndOfMessage()) or b"")
        answer = await self._next()
        while isinstance(answer, h11.InformationalResponse):
            answer = await self._next()
        if not isinstance(answer, h11.Response):
            raise self._failed("bad_frame", "an answer without a head")
        self._answering = True
        fields: dict[str, str] = {}
        for raw_name, raw_value in answer.headers:
            name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        return answer.status_code, fields

    async def piece(self) -> bytes | None:
        """Return the next bytes of the body, None at its end. Raises `TransportFailed` where it is cut or stalls."""
        event = await self._next()
        return bytes(event.data) if isinstance(event, h11.Data) else None

    async def start_of_body(self, most: int) -> bytes:
        """Return at most the first `most` bytes of the body, or as much as comes of it."""
        body = b""
        with contextlib.suppress(TimeoutError, TransportFailed):
            async with asyncio.timeout(ERROR_WAIT_S):
                while len(body) < most and (piece := await self.piece()) is not None:
                    body += piece
        return body[:most]

    async def settle(self) -> None:
        """See a body to its end, so that the connection may be used again; not for long, and never raise."""
        with contextlib.suppress(TimeoutError, TransportFailed):
            async with asyncio.timeout(END_WAIT_S):
                while await self.piece() is not None:
                    pass

    def renew(self) -> bool:
        """Make ready for a further request; False where the connection cannot have one."""
        http = self._http
        done = http.our_state is h11.DONE and http.their_state is h11.DONE and not self._ended
        if not done or http.trailing_data[0] or self._writer.transport.is_closing():
            return False
        http.start_next_cycle()
        return True

    def fits(self, key: tuple[Origin, SSLContext | None]) -> bool:
        """Whether it leads there, and may be used in the event loop that runs."""
        return self.key == key and self.loop is asyncio.get_running_loop()

    async def quiet(self) -> bool:
        """Whether nothing has come on the idle connection: no end, and no bytes that nobody asked for."""
        if self._writer.transport.is_closing() or self._reader.exception() is not None:
            return False
        try:
            async with asyncio.timeout(0):
                await self._reader.read(1)
        except TimeoutError:
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        """Close at once; what was still to be sent is not."""
        if not self.loop.is_closed():
            self._writer.transport.abort()

    async def _next(self) -> object:
        """Return the next event that h11 makes of what comes."""
        try:
            while True:
                event = self._http.next_event()
                if event is not h11.NEED_DATA:
                    return event
                data = await self._read()
                self._ended = not data
                self._http.receive_data(data)
        except h11.RemoteProtocolError:
            # The cause would quote what the server sent, which may be anything.
            if self._ended:
                raise self._failed("stream_truncated", "the connection ended before the answer did") from None
            raise self._failed("bad_frame", "the answer is not HTTP/1.1") from None
        except TimeoutError:
            raise self._failed("stream_stalled", f"no byte for {self._byte_idle_s:g} s") from None
        except OSError as error:
            raise self._failed("stream_truncated", f"the connection broke: {type(error).__name__}") from error

    async def _read(self) -> bytes:
        """Return the next bytes; the time to wait begins anew while a long request is still on its way out."""
        while True:
            left = self._writer.transport.get_write_buffer_size()
            try:
                async with asyncio.timeout(self._byte_idle_s):
                    return await self._reader.read(READ_BYTES)
            except TimeoutError:
                if self._writer.transport.get_write_buffer_size() == left:
                    raise

    def _failed(self, code: ErrorCode, text: str) -> TransportFailed:
        lost = code in ("stream_truncated", "stream_stalled")
        if lost and not self._answering:
            code = "connect_failed"
        return TransportFailed(RunFault(code=code, message=failure(text), transient=lost, started=self._answering))
