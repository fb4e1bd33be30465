"""One writer at a time on a path, over all agents that share a registry, whichever event loop each runs in."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class _Waiter(NamedTuple):
    loop: asyncio.AbstractEventLoop
    turn: asyncio.Future[None]


class WriteLocks:
    """Paths that are being written, and who waits for each, in order. Memory is that of the paths held now."""

    __slots__ = ("_guard", "_held")

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: dict[str, deque[_Waiter]] = {}

    async def hold(self, path: str) -> Callable[[], None]:
        """Wait for `path` and return what gives it up again, to be called once, in any thread."""
        with self._guard:
            waiting = self._held.get(path)
            if waiting is None:
                self._held[path] = deque()
                return lambda: self._give_up(path)
            loop = asyncio.get_running_loop()
            waiter = _Waiter(loop, loop.create_future())
            waiting.append(waiter)
        try:
            await waiter.turn
        except asyncio.CancelledError:
            with self._guard:
                still_waiting = waiter in waiting
                if still_waiting:
                    waiting.remove(waiter)
            if not still_waiting:
                # The turn came with the cancel: it is the next one's.
                self._give_up(path)
            raise
        return lambda: self._give_up(path)

    def _give_up(self, path: str) -> None:
        with self._guard:
            waiting = self._held[path]
            while waiting:
                waiter = waiting.popleft()
                # A loop that is closed has nobody left that waits.
                with suppress(RuntimeError):
                    waiter.loop.call_soon_threadsafe(_begin, waiter.turn)
                    return
            del self._held[path]

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths that are held now."""
        with self._guard:
            return tuple(self._held)


def _begin(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
