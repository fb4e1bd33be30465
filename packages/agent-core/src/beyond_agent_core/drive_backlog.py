"""Events on their way to whoever iterates over a run: in order, with a mark above which the model is not read on."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from beyond_agent_core.events import AgentEvent

MOST: Final = 1_024
"""Events that may wait before the model's stream is paused (agent-core contract, events)."""


class Backlog:
    """A queue that always takes an event, and says when it has room."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._events: deque[AgentEvent] = deque()
        self._some = asyncio.Event()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._closed = False

    def put(self, event: AgentEvent) -> None:
        """Add an event; never waits."""
        self._events.append(event)
        self._some.set()
        if len(self._events) >= self._most:
            self._roomy.clear()

    def close(self) -> None:
        """Say that no event follows."""
        self._closed = True
        self._some.set()

    async def get(self) -> AgentEvent | None:
        """Return the oldest event as soon as there is one; None behind the last."""
        while not self._events:
            if self._closed:
                return None
            self._some.clear()
            await self._some.wait()
        event = self._events.popleft()
        if len(self._events) < self._most:
            self._roomy.set()
        return event

    async def room(self) -> None:
        """Wait until fewer events wait than may."""
        await self._roomy.wait()
