"""What one connection is yet to be sent, bounded, so that a client that does not read harms nobody.

Progress is a snapshot: where a later one of the same call waits, the earlier is superfluous and is dropped first once
the client lags. Above the bound a socket is closed, which loses nothing, for it may attach again; stdio has no second
chance, so there the run waits (agent contract, serve: transports).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BACKLOG: Final = 16 * 1024 * 1024
"""Bytes that may wait (agent contract, serve: transports)."""
LAGS: Final = 256 * 1024
"""Bytes that wait before superfluous progress is dropped."""


class Outbox:
    """Lines on their way to one client. `write` sends bytes and returns when more may follow."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]], *, backlog: int = BACKLOG) -> None:
        self._write = write
        self._most = backlog
        self._waiting: deque[_Line] = deque()
        self._keyed: dict[str, list[_Line]] = {}
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ended = False
        self._bound = True
        self.bytes = 0

    def put(self, data: bytes, key: str | None = None) -> None:
        """Add a line; a later one with the same `key` makes it superfluous."""
        if self._ended:
            return
        line = _Line(data, key)
        if key is not None:
            if self.bytes > LAGS:
                self._forget(key)
            self._keyed.setdefault(key, []).append(line)
        self._waiting.append(line)
        self.bytes += len(data)
        if self.full:
            self._room.clear()
        self._wake.set()

    @property
    def full(self) -> bool:
        """Whether more waits than may."""
        return self._bound and self.bytes > self._most

    async def room(self) -> None:
        """Return once no more waits than may."""
        await self._room.wait()

    def unbound(self) -> None:
        """Have nobody wait for room any more: what follows is little, and must come to its end."""
        self._bound = False
        self._room.set()

    def end(self) -> None:
        """Take no more lines; `run` returns when those there are were sent."""
        self._ended = True
        self._room.set()
        self._wake.set()

    def end_with(self, last: bytes) -> None:
        """Drop what waits, which its reader does not read, and end with one line."""
        self._waiting.clear()
        self._keyed.clear()
        self.bytes = 0
        self.put(last)
        self.end()

    async def run(self) -> None:
        """Send lines as they come, until `end`. Raises OSError where the client is gone."""
        while True:
            while self._waiting:
                await self._write(self._taken())
                if not self.full:
                    self._room.set()
            if self._ended:
                return
            self._wake.clear()
            await self._wake.wait()

    def _taken(self) -> bytes:
        """Return the next lines as one piece."""
        pieces: list[bytes] = []
        size = 0
        while self._waiting and size < LAGS:
            line = self._waiting.popleft()
            if line.key is not None and line.data:
                self._keyed[line.key].remove(line)
                if not self._keyed[line.key]:
                    del self._keyed[line.key]
            pieces.append(line.data)
            size += len(line.data)
        self.bytes -= size
        return b"".join(pieces)

    def _forget(self, key: str) -> None:
        """Empty the lines of this key that wait."""
        for line in self._keyed.pop(key, ()):
            self.bytes -= len(line.data)
            line.data = b""


class _Line:
    """A line that waits; without data it was made superfluous."""

    __slots__ = ("data", "key")

    def __init__(self, data: bytes, key: str | None) -> None:
        self.data = data
        self.key = key
