"""The provider's side of the relay: one connection, lent to one exchange at a time.

A connection that says anything while nobody asked, or more than its response, is not reused: those bytes would be taken
for the next answer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from beyond_gateway.flow_control import HIGH_WATER_BYTES, Valve
from beyond_gateway.framing import BodyReader, ChunkedReader, CloseReader, FramingError, LengthReader, passed_on
from beyond_gateway.head_rules import CHUNKED, UNTIL_CLOSE, HeadError, head_end, parse_response

if TYPE_CHECKING:
    from beyond_gateway.exchange import Exchange
    from beyond_gateway.gateway import Gateway
    from beyond_gateway.head_rules import ResponseHead
    from beyond_gateway.lane import Lane


class UpstreamConnection(asyncio.Protocol):
    """One connection to a provider. `valve` is its reading side, `idle_s` its seconds without an exchange.

    `has_answered` tells whether any byte came back for the exchange in hand.
    """

    __slots__ = (
        "_buffer",
        "_exchange",
        "_gateway",
        "_head_request",
        "_keeps_alive",
        "_lane",
        "_reader",
        "_transport",
        "_writable",
        "has_answered",
        "idle_s",
        "valve",
    )

    valve: Valve
    _transport: asyncio.Transport

    def __init__(self, gateway: Gateway, lane: Lane) -> None:
        self._gateway = gateway
        self._lane = lane
        self._exchange: Exchange | None = None
        self._reader: BodyReader | None = None
        self._buffer = b""
        self._head_request = False
        self._keeps_alive = True
        self._writable = True
        self.idle_s = 0.0
        self.has_answered = False

    # -- what the exchange calls

    def begin(self, exchange: Exchange, *, head_request: bool) -> None:
        """Belong to `exchange` until `end`. `head_request` says that no body will come whatever the head declares."""
        self._exchange = exchange
        self._head_request = head_request
        self._reader = None
        self._buffer = b""
        self.has_answered = False

    def write(self, data: bytes) -> None:
        """Send bytes to the provider."""
        self._transport.write(data)

    def end(self, *, reusable: bool) -> None:
        """The exchange is over. `reusable`: request and response are complete, so the connection may serve another."""
        self._exchange = None
        self.idle_s = 0.0
        whole = self._reader is not None and self._reader.done and not self._buffer
        # Behind bytes that the provider has not taken, the next request would wait without knowing.
        if reusable and whole and self._keeps_alive and self._writable:
            self.valve.open()
            self.spare()
        else:
            self._transport.abort()

    def spare(self) -> None:
        """Wait for another exchange, or close where none will come."""
        if self._transport.is_closing() or self._gateway.draining or not self._lane.idle.give_back(self):
            self._transport.abort()

    def close(self) -> None:
        """Close a connection that is idle."""
        self._lane.idle.forget(self)
        self._transport.close()

    # -- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready for an exchange."""
        stream = cast("asyncio.Transport", transport)
        self._transport = stream
        stream.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self.valve = Valve(stream)
        self._gateway.upstreams.add(self)

    def data_received(self, data: bytes) -> None:
        """Take what the provider sent, in any pieces."""
        exchange = self._exchange
        if exchange is None:
            self.close()
            return
        self.has_answered = True
        try:
            if self._reader is not None:
                self._body(exchange, self._reader, data, 0)
            else:
                self._heads(exchange, self._buffer + data if self._buffer else data)
        except (HeadError, FramingError):
            exchange.upstream_broken()

    def _heads(self, exchange: Exchange, data: bytes) -> None:
        """Take response heads off `data`: informational ones, then the final one."""
        start = 0
        while True:
            end = head_end(data, start)
            if end < 0:
                self._buffer = data[start:] if start else data
                return
            head = parse_response(data[start:end], head_request=self._head_request)
            if head.status >= 200:
                break
            exchange.informational(head)
            start = end
        self._buffer = b""
        reader = self._reader = _reader(head)
        self._keeps_alive = not head.wants_close
        exchange.response_head(head, reader)
        if end < len(data) or reader.done:
            self._body(exchange, reader, data, end)
        else:
            exchange.send_head()

    def _body(self, exchange: Exchange, reader: BodyReader, data: bytes, start: int) -> None:
        payload: list[bytes] = []
        stop = start if reader.done else reader.feed(data, start, payload)
        raw = passed_on(reader, data, start, stop, exchange.response_trailers)
        if stop < len(data):
            self._keeps_alive = False
        exchange.response_bytes(raw, payload, done=reader.done)

    def eof_received(self) -> bool:
        """The provider sends no more: the connection is of no further use."""
        self._lane.idle.forget(self)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The provider is gone, or we closed the connection."""
        self._gateway.upstreams.discard(self)
        self._lane.idle.forget(self)
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        reader = self._reader
        if isinstance(reader, CloseReader) and exc is None:
            reader.done = True
            self._keeps_alive = False
            exchange.response_bytes(b"", [], done=True)
        else:
            exchange.upstream_lost()

    def pause_writing(self) -> None:
        """The provider reads too slowly."""
        self._writable = False
        if self._exchange is not None:
            self._exchange.upstream_writable(writable=False)

    def resume_writing(self) -> None:
        """The provider has caught up."""
        self._writable = True
        if self._exchange is not None:
            self._exchange.upstream_writable(writable=True)

    def drain(self) -> None:
        """Close where no exchange runs."""
        if self._exchange is None:
            self.close()

    # -- time

    def tick(self, seconds: float) -> None:
        """Called every `seconds`: an idle connection is closed in its time."""
        if self._exchange is None:
            self.idle_s += seconds
            if self.idle_s >= self._gateway.config.idle_timeout_secs:
                self.close()

    def __repr__(self) -> str:
        return f"<UpstreamConnection {self._lane.provider.name} {'idle' if self._exchange is None else 'busy'}>"


def _reader(head: ResponseHead) -> BodyReader:
    if head.length == CHUNKED:
        return ChunkedReader()
    if head.length == UNTIL_CLOSE:
        return CloseReader()
    return LengthReader(head.length)
