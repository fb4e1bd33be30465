"""Back-pressure: a slow reader slows the writer, through one valve for each transport's reading side.

Several parties may ask one side to stop (the far side's write buffer is full, a pipelined request waits, the provider
is not connected yet). Reading goes on only when none of them does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

FAR_SIDE_FULL: Final = 1
NOT_CONNECTED: Final = 2
NOT_ITS_TURN: Final = 4

HIGH_WATER_BYTES: Final = 64 * 1024
"""Bytes waiting in a transport's write buffer at which the other side stops reading; asyncio's own default."""


class Valve:
    """The reading side of one transport, open while no reason to stop is set."""

    __slots__ = ("_reasons", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._reasons = 0

    @property
    def closed(self) -> bool:
        """Whether somebody has stopped the reading."""
        return self._reasons != 0

    def closed_for(self, reason: int) -> bool:
        """Whether `reason` is among those for which reading stands."""
        return self._reasons & reason != 0

    def stop(self, reason: int) -> None:
        """Stop reading for `reason`, one of this module's constants."""
        if not self._reasons and not self._transport.is_closing():
            self._transport.pause_reading()
        self._reasons |= reason

    def go(self, reason: int) -> None:
        """Take `reason` back; reading goes on when it was the last."""
        if self._reasons and not self._reasons & ~reason and not self._transport.is_closing():
            self._transport.resume_reading()
        self._reasons &= ~reason

    def set(self, reason: int, *, stop: bool) -> None:
        """Stop for `reason`, or take it back."""
        if stop:
            self.stop(reason)
        else:
            self.go(reason)

    def open(self) -> None:
        """Take every reason back: the transport begins a new life with another exchange."""
        self.go(self._reasons)

    def __repr__(self) -> str:
        return f"<Valve {'closed' if self._reasons else 'open'}>"
