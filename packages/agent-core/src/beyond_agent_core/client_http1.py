"""One HTTP/1.1 connection to a server: a request out, a head and pieces of a body in, and again while both sides agree.

`client_headers` writes the head of a request, `client_answer` reads what comes, asyncio's streams move the bytes; here
they meet, and here whatever goes wrong on the wire gets its name. It depends on how far an answer had come: before its
head a failure may be tried again as a new connection, behind it a part of an answer is void.

The request is written at once and not waited for: a server that refuses a large body answers before it has read it, and
would be waited for in vain.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, TypeVar

from beyond_agent_core.client_faults import failure
from beyond_agent_core.client_headers import NotHttp, request_head
from beyond_agent_core.errors import ErrorCode, RunFault
from beyond_agent_core.transport import TransportFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from ssl import SSLContext

    from beyond_agent_core.client_answer import Answers
    from beyond_agent_core.client_target import Origin

T = TypeVar("T")
READ_BYTES: Final = 65_536
"""Most that is read at once."""
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
        self._answers: Answers | None = None
        self._byte_idle_s = 0.0
        self._answering = False
        self._ended = False

    def __repr__(self) -> str:
        return f"<Connection {self.key[0].authority} {self._answers}>"

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
            self._writer.write(request_head(target, headers))
            self._writer.write(body)
            self._reading().asked(target, headers, body)
        except ValueError:
            raise self._failed("request_invalid", "a header cannot be sent") from None
        status, fields = await self._next(self._reading().head)
        self._answering = True
        return status, fields

    async def piece(self) -> bytes | None:
        """Return the next bytes of the body, None at its end. Raises `TransportFailed` where it is cut or stalls."""
        return await self._next(self._reading().piece) or None

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
        done = self._answers is not None and self._answers.again
        return done and not self._ended and not self._writer.transport.is_closing()

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

    def _reading(self) -> Answers:
        """Return what reads the answers, made behind the first request."""
        if self._answers is None:
            from beyond_agent_core.client_answer import Answers  # noqa: PLC0415 - the module says why

            self._answers = Answers()
        return self._answers

    async def _next(self, part: Callable[[], T | None]) -> T:
        """Return the next part of the answer, once its bytes have come."""
        try:
            while (made := part()) is None:
                data = await self._read()
                self._ended = not data
                self._reading().take(data)
        except NotHttp:
            if self._ended:
                raise self._failed("stream_truncated", "the connection ended before the answer did") from None
            raise self._failed("bad_frame", "the answer is not HTTP/1.1") from None
        except TimeoutError:
            raise self._failed("stream_stalled", f"no byte for {self._byte_idle_s:g} s") from None
        except OSError as error:
            raise self._failed("stream_truncated", f"the connection broke: {type(error).__name__}") from error
        return made

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
