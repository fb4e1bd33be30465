"""An agent: a transport, tools and settings, once; then runs on sessions, as many at a time as there are sessions."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from beyond_agent_core.control import Control, Queued
from beyond_agent_core.dispatch import Dispatcher
from beyond_agent_core.drive import Driver
from beyond_agent_core.errors import ConfigError
from beyond_agent_core.limits import Limits
from beyond_agent_core.loop import loop
from beyond_agent_core.run import Run, Settings
from beyond_agent_core.tools import ToolRegistry
from beyond_wire.caps import caps_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

    from beyond_agent_core.events import AgentEvent
    from beyond_agent_core.run import RunResult
    from beyond_agent_core.session import Session
    from beyond_agent_core.tools import Tool
    from beyond_agent_core.transport import ModelTransport
    from beyond_wire.types import ImageSource


class Agent:
    """Immutable once made. Raises ConfigError, naming the field, for what cannot be used."""

    def __init__(
        self,
        transport: ModelTransport,
        *,
        model: str,
        tools: Iterable[Tool] = (),
        system: str | None = None,
        limits: Limits | None = None,
        max_tokens: int | None = None,
        thinking: int | None = None,
        temperature: float | None = None,
        cache_key: str | None = None,
        sequential_tools: bool = False,
        checkpoint: Callable[[str, Session], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if not model:
            raise ConfigError("model", "must name one")
        if max_tokens is not None and max_tokens <= 0:
            raise ConfigError("max_tokens", "must be above 0")
        self._transport = transport
        self._tools = ToolRegistry(tools)
        self._sequential = sequential_tools
        self._save = checkpoint
        self._clock = clock
        self._chance = chance
        self.settings = Settings(
            model=model,
            system=system,
            tools=self._tools.definitions(),
            max_tokens=max_tokens,
            thinking=thinking,
            temperature=temperature,
            cache_key=cache_key,
            limits=limits or Limits(),
        )

    async def run(
        self,
        session: Session,
        prompt: str | None = None,
        *,
        images: Sequence[ImageSource] = (),
        on_event: Callable[[AgentEvent], object] | None = None,
        control: Control | None = None,
    ) -> RunResult:
        """Answer `prompt`, or go on where the session stands; return how that ended. Raises SessionBusy.

        `on_event` is called in order, synchronously.
        """
        session.take()
        try:
            run = Run(session, self.settings, control or Control(), clock=self._clock, chance=self._chance)

            def emit(event: AgentEvent) -> None:
                if on_event is not None:
                    on_event(event)

            vision = caps_for(self.settings.model).vision
            tools = Dispatcher(self._tools, emit, vision=vision, sequential=self._sequential)
            save = self._save
            driver = Driver(
                run, self._transport, tools, emit, save=None if save is None else lambda at: save(at, session)
            )
            end = await driver.drive(loop(run, None if prompt is None else Queued(prompt, tuple(images))))
            return run.result(end)
        finally:
            session.release()

    async def stream(
        self, session: Session, prompt: str | None = None, *, control: Control | None = None
    ) -> AsyncIterator[AgentEvent]:
        """Yield the events of a run as they come; leaving the iteration cancels the run."""
        queue: asyncio.Queue[AgentEvent | None] = asyncio.Queue()
        steering = control or Control()
        task = asyncio.ensure_future(self.run(session, prompt, on_event=queue.put_nowait, control=steering))
        task.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            await task
        finally:
            if not task.done():
                steering.cancel()
                await asyncio.wait([task])
