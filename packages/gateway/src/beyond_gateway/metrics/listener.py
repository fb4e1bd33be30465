"""The admin listener: /livez, /readyz and /metrics, for probes and scrapes.

It lives on the same event loop as the streams, so nothing here may cost it more than the answer itself. Connections are
few and short-lived: one clock looks at all of them, a peer that neither asks nor reads within ten seconds is cut off,
and the newest caller wins, so that idle connections cannot keep a probe out and have the gateway restarted.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from beyond_gateway.head_rules import HeadError, head_end, parse_request
from beyond_gateway.metrics.pages import Pages, malformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_gateway.head_rules import RequestHead
    from beyond_gateway.metrics.pages import Answer

QUIET_S: Final = 10.0
"""Seconds in which a request's head must be whole, and its answer be read; ours, the interval of usual probes."""
LINGER_S: Final = 2.0
"""Seconds in which a caller that is still sending may read the answer before the connection goes."""
CONNECTIONS: Final = 64
"""Connections at once; a further one takes the place of the oldest."""


class Admin:
    """All connections of the listener, and the bound on them. `connection` is the factory for `create_server`.

    The arguments are those of `Pages`.
    """

    def __init__(
        self, *, version: str, ready: Callable[[], bool], metrics: Callable[[bytes], tuple[bytes, bytes]]
    ) -> None:
        self.pages = Pages(version=version, ready=ready, metrics=metrics)
        self._open: dict[AdminConnection, None] = {}

    def connection(self) -> AdminConnection:
        """Return the protocol for a new connection."""
        return AdminConnection(self)

    def came(self, connection: AdminConnection) -> None:
        """Count a connection in; the oldest goes where there are too many."""
        if len(self._open) >= CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.abort()
        self._open[connection] = None

    def went(self, connection: AdminConnection) -> None:
        """Count it out."""
        self._open.pop(connection, None)

    def tick(self, seconds: float) -> None:
        """Let every connection count its quiet time; called every `seconds` by the gateway's clock."""
        for connection in list(self._open):
            connection.tick(seconds)

    def close(self) -> None:
        """Close every connection, for a shutdown."""
        for connection in list(self._open):
            connection.abort()

    def __repr__(self) -> str:
        return f"<Admin connections={len(self._open)}>"


class AdminConnection(asyncio.Protocol):
    """One caller's connection, its requests one after another.

    The write buffer counts as full with its first byte: while an answer waits for its reader nothing more is read.
    """

    __slots__ = ("_admin", "_buffer", "_lingering", "_quiet_s", "_seen", "_stalled", "_transport")

    _transport: asyncio.Transport

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._buffer = bytearray()
        self._seen = 0
        self._quiet_s = 0.0
        self._stalled = False
        self._lingering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to listen to a caller."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)
        self._admin.came(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the event loop passes it
        """The caller is gone, or we closed the connection."""
        self._admin.went(self)

    def data_received(self, data: bytes) -> None:
        """Take what the caller sent, in any pieces."""
        if self._lingering or self._transport.is_closing():
            return
        buffer = self._buffer
        buffer += data
        while buffer.startswith(b"\r\n"):
            # An empty line before a request is skipped (RFC 9112 section 2.2).
            del buffer[:2]
        try:
            end = head_end(buffer, 0, self._seen)
            self._seen = len(buffer)
            if end >= 0:
                self._answer(parse_request(bytes(buffer[:end])), unread=len(buffer) > end)
        except HeadError as error:
            self._send(malformed(error), close=True)
            self._linger()

    def eof_received(self) -> bool:
        """Close where nothing waits to be sent; an answer on its way is sent to its end first."""
        return False

    def pause_writing(self) -> None:
        """The caller reads slowly: take no further request."""
        self._stalled = True
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The caller has read its answer."""
        self._stalled = False
        self._quiet_s = 0.0
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _answer(self, head: RequestHead, *, unread: bool) -> None:
        """Answer one request, the last of its connection where something stands behind its head.

        A body is not read, so what follows it cannot be told from a request. And nobody pipelines scrapes: a thousand
        of them in one read would keep the loop for seconds.
        """
        self._quiet_s = 0.0
        self._seen = 0
        self._buffer.clear()
        unread = unread or head.length != 0
        close = unread or head.wants_close
        self._send(self._admin.pages.answer(head), close=close, with_body=head.method != b"HEAD")
        if unread:
            self._linger()
        elif close:
            self._transport.close()

    def _send(self, answer: Answer, *, close: bool, with_body: bool = True) -> None:
        self._transport.write(answer.message(close=close, with_body=with_body))

    def _linger(self) -> None:
        """End our side and read on for a moment: closing on unread bytes takes the answer back."""
        self._lingering = True
        self._quiet_s = 0.0
        self._buffer.clear()
        if not self._transport.is_closing():
            self._transport.write_eof()

    def tick(self, seconds: float) -> None:
        """Cut the connection where the caller has been quiet for too long."""
        self._quiet_s += seconds
        if self._quiet_s >= (LINGER_S if self._lingering and not self._stalled else QUIET_S):
            self._transport.abort()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def __repr__(self) -> str:
        state = "lingering" if self._lingering else "stalled" if self._stalled else "open"
        return f"<AdminConnection {state} waiting={len(self._buffer)}>"
