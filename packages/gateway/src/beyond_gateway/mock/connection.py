"""One client connection of the provider: requests in, answers out in the same order, faults on demand."""

import asyncio
import socket
import struct
import time
from collections import deque
from typing import Protocol, cast

import httptools

from beyond_gateway.mock import http1
from beyond_gateway.mock.answer import Answer
from beyond_gateway.mock.http1 import Head, Request, RequestParser
from beyond_gateway.mock.record import Recorded

_LINGER_S = 2.0  # how long an early answer goes on discarding the body: a close with unread bytes is a reset


class Owner(Protocol):
    """The provider, as a connection sees it."""

    def opened(self, connection: "Connection") -> int:
        """Register the connection and give its number."""
        ...

    def closed(self, connection: "Connection") -> None:
        """Forgets it."""
        ...

    def record(self, recorded: Recorded) -> None:
        """Keep a request for the tests."""
        ...

    def answer(self, request: Request) -> Answer:
        """Decides the answer."""
        ...


class Connection(asyncio.Protocol):
    """Serves one connection until either side closes it."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parser = RequestParser(self)
        self._requests: deque[Request] = deque()  # not yet answered; the last may still be arriving
        self._changed = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102 - asyncio's callback
        self.transport = cast("asyncio.Transport", transport)
        self._number = self._owner.opened(self)
        self.task = asyncio.get_running_loop().create_task(self._serve(), name=f"mock connection {self._number}")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002, D102 - asyncio's callback
        for request in self._requests:
            request.recorded.abort(time.monotonic())
        self.task.cancel()
        self._owner.closed(self)

    def data_received(self, data: bytes) -> None:  # noqa: D102 - asyncio's callback
        try:
            self._parser.feed(data)
        except httptools.HttpParserError as fault:
            headers = [("connection", "close"), ("content-length", "0"), ("x-mock-error", str(fault))]
            self.transport.write(http1.response_head(400, headers))
            self.transport.close()

    def pause_writing(self) -> None:  # noqa: D102 - asyncio's callback
        self._writable.clear()

    def resume_writing(self) -> None:  # noqa: D102 - asyncio's callback
        self._writable.set()

    def request_started(self, head: Head) -> None:
        """Record and queue a request as soon as its head is there."""
        recorded = Recorded(
            method=head.method,
            target=head.target,
            headers=head.headers,
            connection=self._number,
            received_at=time.monotonic(),
        )
        self._owner.record(recorded)
        self._incoming = Request(recorded, keep_alive=head.keep_alive, http10=head.http10)
        self._requests.append(self._incoming)
        self._changed.set()

    def request_data(self, data: bytes) -> None:
        """Give the body to its request; a `hold` directive stops the reading for a while."""
        first = not self._incoming.body
        self._incoming.take(data)
        if first:
            self._changed.set()
            if hold := self._incoming.peeked.hold:
                self.transport.pause_reading()
                asyncio.get_running_loop().call_later(hold, self._read_on)

    def request_finished(self) -> None:
        """Lets the request be answered."""
        self._incoming.recorded.complete = True
        self._changed.set()

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    async def _serve(self) -> None:
        try:
            while await self._exchange(await self._next()):
                pass
        finally:
            self.transport.close()

    async def _next(self) -> Request:
        """Return the next request that can be answered."""
        invited = False
        while not self._requests or not self._requests[0].ready:
            if self._requests and self._requests[0].expects_continue and not invited:
                self.transport.write(http1.CONTINUE)
                invited = True
            self._changed.clear()
            await self._changed.wait()
        return self._requests[0]

    async def _exchange(self, request: Request) -> bool:
        """Answers one request; True when the connection can serve the next."""
        answer = self._owner.answer(request)
        whole = await self._deliver(request, answer)
        self._requests.popleft()
        if not whole:
            self._abort(reset=answer.directives.reset)
            return False
        request.recorded.answered = True
        if not request.recorded.complete:
            await asyncio.sleep(_LINGER_S)
        return not _closes(request, answer)

    async def _deliver(self, request: Request, answer: Answer) -> bool:
        """Write the answer; False when a cut ended it before its end."""
        wanted = answer.directives
        await asyncio.sleep(wanted.stall)
        if wanted.cut == -1:
            return False
        if wanted.early_hints:
            self.transport.write(http1.EARLY_HINTS)
        chunked = _chunked(request, answer)
        self.transport.write(_head(answer, chunked=chunked, close=_closes(request, answer)))
        if request.method == "HEAD" or answer.status in (204, 304):
            return True
        extension = ";mock=1" if wanted.chunk_ext else ""
        room = wanted.cut
        for number, part in enumerate(answer.parts):
            if number and wanted.gap:
                await asyncio.sleep(wanted.gap)
            if number == wanted.stall_after:
                await asyncio.get_running_loop().create_future()  # until the client leaves
            data = part[:room]
            self.transport.write(http1.chunk(data, extension) if chunked else data)
            await self._writable.wait()
            if room is not None:
                room -= len(data)
                if not room:
                    await self._flush()
                    return False
        if chunked:
            self.transport.write(http1.last_chunk([("x-trailer", "1")] if wanted.trailer else []))
        return True

    async def _flush(self) -> None:
        """Wait until the kernel has every byte, so that an abort loses none of them."""
        self.transport.set_write_buffer_limits(0)
        await self._writable.wait()

    def _abort(self, *, reset: bool) -> None:
        """End the connection without a valid end of the answer."""
        raw: socket.socket | None = self.transport.get_extra_info("socket")
        if reset and raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def _closes(request: Request, answer: Answer) -> bool:
    wanted = answer.directives
    return wanted.close or wanted.http10 or not request.keep_alive or not request.recorded.complete


def _chunked(request: Request, answer: Answer) -> bool:
    wanted = answer.directives
    if wanted.http10 or request.http10 or answer.status in (204, 304):
        return False
    return answer.sse or not wanted.length or answer.length is None


def _head(answer: Answer, *, chunked: bool, close: bool) -> bytes:
    http10 = answer.directives.http10
    headers = list(answer.headers)
    if chunked:
        headers.append(("transfer-encoding", "chunked"))
    elif answer.length is not None and not http10 and answer.status not in (204, 304):
        headers.append(("content-length", str(answer.length)))
    if close:
        headers.append(("connection", "close"))
    return http1.response_head(answer.status, headers, http10=http10)
