"""Keep-alive connections to one provider: which to reuse, which to keep, which to close.

Pure: the pool decides over whatever connection type it is given, the caller opens and closes. The newest idle
connection is reused first, so that a falling load lets the oldest ones time out.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

MAX_IDLE: Final = 1024
"""Idle connections kept for one provider: a burst of a thousand streams may come back without a thousand handshakes."""

C = TypeVar("C")


class IdlePool(Generic[C]):
    """The idle connections of one provider, oldest first."""

    __slots__ = ("_idle", "_limit")

    def __init__(self, limit: int = MAX_IDLE) -> None:
        self._idle: dict[C, None] = {}
        self._limit = limit

    def __len__(self) -> int:
        return len(self._idle)

    def take(self) -> C | None:
        """Return the newest idle connection, which is the caller's from now on, or None: open one."""
        return self._idle.popitem()[0] if self._idle else None

    def give_back(self, connection: C) -> bool:
        """Keep a connection whose exchange is over; return False where the pool is full: close it."""
        if len(self._idle) >= self._limit:
            return False
        self._idle[connection] = None
        return True

    def forget(self, connection: C) -> None:
        """Drop a connection that died or timed out while idle; one that is not idle is nothing to the pool."""
        self._idle.pop(connection, None)

    def idle(self) -> list[C]:
        """Return the idle connections, oldest first."""
        return list(self._idle)

    def close(self) -> list[C]:
        """Keep nothing from now on; return what was kept, for the caller to close."""
        self._limit = 0
        return list(self._idle)

    def __repr__(self) -> str:
        return f"<IdlePool idle={len(self._idle)}>"
