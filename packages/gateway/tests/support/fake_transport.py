"""One end of a connection without a socket: what was written, whether reading is stopped, and the peer to play."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeTransport(asyncio.Transport):
    """What a protocol writes to, with the event loop's rules: a close is told later, stopped reading holds bytes back.

    `out` is what was written; `faults` names every call that a protocol must not make.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = loop
        self.protocol = protocol
        self.out = bytearray()
        self.faults: list[str] = []
        self.reading = True
        self.stalls_when_written = False
        self.stalled = False
        self.half_closed = False
        self.lost = False
        self._closing = False
        self._telling = False
        self._inbox: list[Callable[[], None]] = []
        protocol.connection_made(self)

    # -- what the protocol calls

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or self.half_closed:
            self.faults.append("write after close")
            return
        self.out += data
        if self.stalls_when_written:
            self.peer_stalls()

    def close(self) -> None:
        self._closing = True
        if not self.stalled:
            self._tell_later()

    def abort(self) -> None:
        self._closing = True
        self._tell_later()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        if not self.reading:
            self.faults.append("paused twice")
        self.reading = False

    def resume_reading(self) -> None:
        if self.reading:
            self.faults.append("resumed twice")
        self.reading = True
        self._loop.call_soon(self._deliver)

    def is_reading(self) -> bool:
        return self.reading

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.half_closed = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None or low is not None:
            self.faults.append("write buffer without the high-water mark alone")

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.1", 50000)}.get(name, default)

    # -- what the peer does

    def peer_sends(self, data: bytes) -> None:
        """Bytes arrive: now, or when reading goes on."""
        self._inbox.append(lambda: self.protocol.data_received(data))
        self._deliver()

    def peer_ends(self) -> None:
        """The peer closes its side in good order, behind what it has sent."""
        self._inbox.append(self._end)
        self._deliver()

    def peer_resets(self) -> None:
        """The connection breaks at once."""
        self._closing = True
        self._tell(ConnectionResetError())

    def peer_stalls(self) -> None:
        """The peer reads nothing: the write buffer is full."""
        if not self.stalled and not self.lost:
            self.stalled = True
            self.protocol.pause_writing()

    def peer_catches_up(self) -> None:
        """The peer has read what waited."""
        if self.stalled and not self.lost:
            self.stalled = False
            self.protocol.resume_writing()
            if self._closing:
                self._tell_later()

    def _end(self) -> None:
        if not self.protocol.eof_received():
            self.close()

    def _deliver(self) -> None:
        while self._inbox and self.reading and not self._closing:
            self._inbox.pop(0)()

    def _tell_later(self) -> None:
        if not self._telling:
            self._telling = True
            self._loop.call_soon(self._tell, None)

    def _tell(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connection_lost(error)
