"""The client's side of the relay: one connection, its requests one after another.

Bytes are cut here into heads and bodies and handed to the exchange; whatever stands behind a request's end waits for
its turn, so pipelined requests are answered in order. A refusal may leave a body unread: a short one is read and thrown
away, before a long one the connection is closed, but only after the client had time to read the answer (closing on
unread bytes resets the connection and takes the answer with it).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from beyond_gateway import errors
from beyond_gateway.exchange import Exchange
from beyond_gateway.flow_control import FAR_SIDE_FULL, HIGH_WATER_BYTES, NOT_CONNECTED, NOT_ITS_TURN, Valve
from beyond_gateway.framing import BodyReader, ChunkedReader, FramingError, LengthReader, passed_on
from beyond_gateway.head_rules import HeadError, head_end
from beyond_gateway.headers import answer

if TYPE_CHECKING:
    from beyond_gateway.asked import Asked
    from beyond_gateway.errors import Refusal
    from beyond_gateway.gateway import Gateway

HEADER_S: Final = 30.0
"""Seconds from a head's first byte to its last (gateway contract, relay)."""
DISCARD_BYTES: Final = 64 * 1024
"""Unread body that is read and thrown away to keep a connection; above it a new connection is cheaper."""
LINGER_S: Final = 2.0
"""Seconds in which a client that is still sending may read the answer before the connection goes."""


class ClientConnection(asyncio.Protocol):
    """One client's connection. `valve` is its reading side, `writable` false while its write buffer is full.

    The buffer holds the beginning of a head, of which `_head_seen` bytes were looked at, or what waits for its turn.
    """

    __slots__ = (
        "_buffer",
        "_discarded",
        "_exchange",
        "_gateway",
        "_head_seen",
        "_lingering",
        "_quiet_s",
        "_reader",
        "_transport",
        "valve",
        "writable",
    )

    valve: Valve
    _transport: asyncio.Transport

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._buffer = bytearray()
        self._head_seen = 0
        self._reader: BodyReader | None = None
        self._exchange: Exchange | None = None
        self._quiet_s = 0.0
        self._discarded = 0
        self._lingering = False
        self.writable = True

    # -- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to listen to a client."""
        stream = cast("asyncio.Transport", transport)
        self._transport = stream
        stream.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self.valve = Valve(stream)
        has_room = self._gateway.has_room
        self._gateway.clients.add(self)
        if not has_room:
            # Without waiting for what it may have sent: the descriptor is what is short.
            self._refuse_unasked(errors.NO_DESCRIPTOR)
            stream.close()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent, in any pieces."""
        if self._lingering:
            return
        if self._reader is not None:
            self._body(data, 0)
        elif self._exchange is not None:
            self._wait(data)
        elif self._head_seen:
            self._more_of_a_head(data)
        elif self._buffer:
            self._wait(data)
        else:
            self._quiet_s = 0.0
            self._heads(data)

    def eof_received(self) -> bool:
        """Take a client's end of sending as its leaving: a stock client's close looks the same.

        Told here: the connection's own end waits for what is still to be written, which nobody may ever read.
        """
        if self._exchange is not None:
            self._exchange.client_left()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the event loop passes it
        """The client is gone, or we closed the connection."""
        self._gateway.disconnected(self)
        self._reader = None
        self._buffer.clear()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_left()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self.writable = False
        if self._exchange is not None:
            self._exchange.client_writable(writable=False)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.writable = True
        if self._exchange is not None:
            self._exchange.client_writable(writable=True)
        elif self._buffer and not self._head_seen:
            self.valve.go(NOT_ITS_TURN)
            self._gateway.loop.call_soon(self._next_waiting)

    # -- requests

    def _heads(self, data: bytes) -> None:
        """Take request heads off `data` while no exchange runs, and while the client reads what it was answered."""
        while data and self.writable and self._exchange is None and self._reader is None and not self._lingering:
            if data.startswith(b"\r\n"):
                # An empty line before a request is skipped (RFC 9112 section 2.2).
                data = _without_empty_lines(data)
                continue
            try:
                end = head_end(data)
                if end < 0:
                    self._buffer += data
                    self._head_seen = len(data)
                    return
                asked, length = self._gateway.rules.heads.read(data if end == len(data) else data[:end])
            except HeadError as error:
                self._malformed(error)
                return
            data = self._request(asked, length, data, end)
        if data and not self._lingering:
            self._wait(data)

    def _more_of_a_head(self, data: bytes) -> None:
        seen, self._head_seen = self._head_seen, self._head_seen + len(data)
        self._buffer += data
        try:
            if head_end(self._buffer, 0, seen) < 0:
                return
        except HeadError as error:
            self._malformed(error)
            return
        data = bytes(self._buffer)
        self._buffer.clear()
        self._head_seen = 0
        self._heads(data)

    def _request(self, asked: Asked, length: int, data: bytes, end: int) -> bytes:
        """Run one request as far as `data` goes; return what stands behind it."""
        self._quiet_s = 0.0
        exchange = self._exchange = Exchange(self._gateway, self, asked, length)
        if length:
            self._reader = ChunkedReader() if length < 0 else LengthReader(length)
        exchange.begin(body_follows=length != 0 and end < len(data))
        if self._reader is None:
            return data[end:]
        if end < len(data):
            return self._body_bytes(data, end)
        return b""

    def _body(self, data: bytes, start: int) -> None:
        rest = self._body_bytes(data, start)
        if rest:
            self._heads(rest)

    def _body_bytes(self, data: bytes, start: int) -> bytes:
        """Hand body bytes to the exchange, or throw them away where it is over; return what stands behind the body."""
        reader = self._reader
        if reader is None:
            return data[start:]
        payload: list[bytes] = []
        try:
            stop = reader.feed(data, start, payload)
        except FramingError as error:
            self._bad_body(str(error))
            return b""
        if reader.done:
            self._reader = None
        exchange = self._exchange
        if exchange is not None:
            raw = passed_on(reader, data, start, stop, exchange.request_trailers)
            exchange.request_bytes(raw, payload, done=reader.done)
        else:
            self._discarded += stop - start
            if self._discarded > DISCARD_BYTES:
                self._linger()
                return b""
        return data[stop:] if stop < len(data) else b""

    def _wait(self, data: bytes) -> None:
        """Keep bytes of the next request until this one is answered."""
        self._buffer += data
        if len(self._buffer) > HIGH_WATER_BYTES:
            self.valve.stop(NOT_ITS_TURN)

    # -- answers

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        self._transport.write(data)

    def refuse(self, refusal: Refusal, request_id: str, *, close: bool, head_only: bool = False) -> None:
        """Send an answer of the gateway's own and end the exchange; to HEAD its head only."""
        extra = b""
        if refusal.retry_after is not None:
            extra += b"retry-after: %d\r\n" % refusal.retry_after
        if refusal.allow is not None:
            extra += b"allow: %b\r\n" % refusal.allow.encode()
        reader = self._reader
        if isinstance(reader, LengthReader) and reader.left > DISCARD_BYTES:
            close = True
        if close:
            extra += b"connection: close\r\n"
        status_line = f"{refusal.status} {HTTPStatus(refusal.status).phrase}".encode()
        self._transport.write(answer(status_line, errors.body(refusal), request_id, extra, head_only=head_only))
        self.response_done(close=close)

    def response_done(self, *, close: bool) -> None:
        """The response is complete: take the next request, or close."""
        self._exchange = None
        self._quiet_s = 0.0
        self._discarded = 0
        self.valve.go(FAR_SIDE_FULL | NOT_CONNECTED)
        if close or self._gateway.draining:
            if self._reader is not None:
                self._linger()
            else:
                self._transport.close()
            return
        self.valve.go(NOT_ITS_TURN)
        if self._buffer and self._reader is None:
            # Not from here: the caller is still inside the exchange that has just ended.
            self._gateway.loop.call_soon(self._next_waiting)

    def _next_waiting(self) -> None:
        if self._head_seen or not self.writable:
            return
        if self._exchange is None and self._reader is None and not self._transport.is_closing():
            data = bytes(self._buffer)
            self._buffer.clear()
            # More may have come, and stopped the reading again, since the last response ended.
            self.valve.go(NOT_ITS_TURN)
            self._heads(data)

    def abort(self, *, hard: bool) -> None:
        """End the connection without a valid end of the response; `hard` resets it and drops what waits to be sent."""
        self._exchange = None
        self._reader = None
        if hard:
            _reset_on_close(self._transport)
            self._transport.abort()
        else:
            self._transport.close()

    def _linger(self) -> None:
        self._lingering = True
        self._quiet_s = 0.0
        self._reader = None
        self._buffer.clear()
        if not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()

    def _malformed(self, error: HeadError) -> None:
        self._head_seen = 0
        refusal = {414: errors.TARGET_TOO_LONG, 431: errors.HEAD_TOO_LARGE}.get(error.status) or errors.bad_request(
            str(error)
        )
        self._refuse_unasked(refusal)

    def _refuse_unasked(self, refusal: Refusal) -> None:
        """Answer where no request could be read, and close: whatever follows cannot be told from a body."""
        request_id = self._gateway.next_request_id()
        self._gateway.metrics.malformed()
        self._gateway.metrics.rejected(refusal.reason)
        self._gateway.log.refused(request_id, refusal)
        self._reader = LengthReader(1)
        self.refuse(refusal, request_id, close=True)

    def _bad_body(self, message: str) -> None:
        exchange = self._exchange
        if exchange is not None:
            exchange.refuse(errors.bad_request(message))
        else:
            self._transport.abort()

    # -- time and end

    def tick(self, seconds: float) -> None:
        """Called every `seconds` by the gateway's clock."""
        if self._exchange is not None:
            self._exchange.tick(seconds)
            return
        self._quiet_s += seconds
        if self._transport.is_closing():
            if self._quiet_s >= self._gateway.config.write_timeout_secs:
                self._transport.abort()
        elif self._lingering:
            if self._quiet_s >= LINGER_S:
                self._transport.abort()
        elif self._buffer and self.writable:
            if self._quiet_s >= HEADER_S:
                self._refuse_unasked(errors.BODY_TIMED_OUT)
        elif self._reader is not None:
            if self._quiet_s >= LINGER_S:
                self._transport.close()
        elif self._quiet_s >= self._gateway.config.idle_timeout_secs:
            self._transport.close()

    def drain(self) -> None:
        """Close where no request runs; else when its response is complete."""
        if self._exchange is None and not self._lingering:
            self._transport.close()

    def cut(self) -> None:
        """End what runs, for a shutdown that waits no longer."""
        if self._exchange is not None:
            self._exchange.cut()
        self._transport.close()

    def __repr__(self) -> str:
        state = "lingering" if self._lingering else "busy" if self._exchange else "idle"
        return f"<ClientConnection {state} waiting={len(self._buffer)}>"


def _without_empty_lines(data: bytes) -> bytes:
    """Return `data` from its first line that is not empty on: with one copy, however many lines stand before it."""
    start = 0
    while data.startswith(b"\r\n", start):
        start += 2
    return data[start:]


def _reset_on_close(transport: asyncio.Transport) -> None:
    """Make the coming close a reset: SO_LINGER with no time to linger (socket(7))."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
