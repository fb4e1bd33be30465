"""An agent: a transport, tools and settings, once; then runs on sessions, as many at a time as there are sessions."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from msgspec.structs import replace

from beyond_agent_core.compaction import compact_by_hand
from beyond_agent_core.compaction_plan import CompactionSettings
from beyond_agent_core.control import Control, Queued
from beyond_agent_core.dispatch import Dispatcher
from beyond_agent_core.dispatch_call import ToolBounds
from beyond_agent_core.dispatch_locks import WriteLocks
from beyond_agent_core.drive import Driver, Sink
from beyond_agent_core.drive_backlog import Backlog
from beyond_agent_core.drive_call import EVENT_IDLE_S
from beyond_agent_core.errors import ConfigError
from beyond_agent_core.hooks import Hooks
from beyond_agent_core.limits import Limits, is_number
from beyond_agent_core.loop import loop
from beyond_agent_core.retry import STANDARD, RetryPolicy
from beyond_agent_core.run import Run, Settings
from beyond_agent_core.tools import ToolRegistry
from beyond_wire.caps import caps_for
from beyond_wire.types import EFFORTS, Caps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence

    from beyond_agent_core.compaction import Unchanged
    from beyond_agent_core.events import AgentEvent, Compacted, CompactionFailed
    from beyond_agent_core.hooks import Maybe
    from beyond_agent_core.run import End, RunResult
    from beyond_agent_core.run_steps import Steps
    from beyond_agent_core.session import Session
    from beyond_agent_core.tools import Tool
    from beyond_agent_core.transport import ModelTransport
    from beyond_wire.types import Effort, ImageSource, ModelRequest

T = TypeVar("T")
System: TypeAlias = str | Callable[[], str] | None
"""The system text, or what gives it, asked once a turn."""
LEAST_BYTES: Final = 200
"""Bytes of a result that have room for the notice of what was cut."""


class Agent:
    """Immutable once made. Raises ConfigError, naming the field, for what cannot be used.

    `thinking` is a budget in tokens, `tool_timeout` and `progress_interval` are seconds. `write_locks` may be shared
    with other agents, which then never write one path at the same time. Without `retry`, or with `max_retries` 0, every
    fault of a model call is final; `retry_base_delay_ms` is the first wait, which doubles. A stream has stalled after
    `event_idle_timeout` seconds without an event of the answer. `caps` are the model's abilities, in the place of the
    table's, or a function that gives those of any model. `clock` gives monotonic seconds, `chance` numbers from 0 to 1.
    """

    def __init__(
        self,
        transport: ModelTransport,
        *,
        model: str,
        tools: Iterable[Tool] = (),
        system: System = None,
        limits: Limits | None = None,
        max_tokens: int | None = None,
        thinking: int | None = None,
        reasoning_effort: Effort | None = None,
        temperature: float | None = None,
        cache_key: str | None = None,
        cache_long: bool = False,
        block_images: bool = False,
        sequential_tools: bool = False,
        hooks: Hooks | None = None,
        checkpoint: Callable[[str, Session], Maybe[object]] | None = None,
        retry: bool | None = True,
        max_retries: int = STANDARD.max_retries,
        retry_base_delay_ms: float = STANDARD.base_delay_s * 1000,
        event_idle_timeout: float = EVENT_IDLE_S,
        compaction: CompactionSettings | None = None,
        caps: Caps | Callable[[str], Caps] | None = None,
        write_locks: WriteLocks | None = None,
        tool_timeout: float | None = None,
        max_result_bytes: int = ToolBounds().result_bytes,
        max_turn_bytes: int = ToolBounds().turn_bytes,
        progress_interval: float = ToolBounds().progress_s,
        progress_bytes: int = ToolBounds().progress_bytes,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if not model:
            raise ConfigError("model", "must name one")
        if not callable(getattr(transport, "stream", None)):
            raise ConfigError("transport", "must have a method stream")
        if reasoning_effort is not None and reasoning_effort not in EFFORTS:
            raise ConfigError("reasoning_effort", f"must be one of {', '.join(EFFORTS)}")
        if temperature is not None and not (is_number(temperature) and temperature >= 0):
            raise ConfigError("temperature", "must be 0 or above")
        if not (is_number(max_retries) and max_retries >= 0):
            raise ConfigError("max_retries", "must be 0 or above")
        _above_zero(
            retry_base_delay_ms=retry_base_delay_ms,
            event_idle_timeout=event_idle_timeout,
            max_tokens=max_tokens,
            thinking=thinking,
            tool_timeout=tool_timeout,
            progress_interval=progress_interval,
            progress_bytes=progress_bytes,
        )
        _instances(
            limits=(limits, Limits),
            hooks=(hooks, Hooks),
            write_locks=(write_locks, WriteLocks),
            compaction=(compaction, CompactionSettings),
            caps=(None if callable(caps) else caps, Caps),
        )
        for field, most in (("max_result_bytes", max_result_bytes), ("max_turn_bytes", max_turn_bytes)):
            if not (is_number(most) and most >= LEAST_BYTES):
                raise ConfigError(field, f"must be at least {LEAST_BYTES}")
        self._transport = transport
        self._tools = ToolRegistry(tools)
        self._system = system
        self._cache_long = cache_long
        self._block_images = block_images
        self._sequential = sequential_tools
        self._hooks = hooks or Hooks()
        self._save = checkpoint
        self._locks = WriteLocks() if write_locks is None else write_locks
        self._bounds = ToolBounds(
            timeout_s=tool_timeout,
            result_bytes=max_result_bytes,
            turn_bytes=max_turn_bytes,
            progress_s=progress_interval,
            progress_bytes=progress_bytes,
        )
        self._event_idle_s = event_idle_timeout
        self._clock = clock
        self._chance = chance
        self.settings = Settings(
            model=model,
            system=system if isinstance(system, str) else None,
            tools=self._tools.definitions(),
            max_tokens=max_tokens,
            thinking=thinking,
            reasoning_effort=reasoning_effort,
            temperature=temperature,
            cache_key=cache_key,
            limits=limits or Limits(),
            retry=RetryPolicy(max_retries=max_retries, base_delay_s=retry_base_delay_ms / 1000) if retry else None,
            compaction=compaction or CompactionSettings(),
            caps=None if callable(caps) else caps,
            caps_of=caps if callable(caps) else caps_for,
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

        `on_event` is called in order, synchronously; what it raises cancels the run and is raised behind its end.
        """
        asked = None if prompt is None else Queued(prompt, tuple(images))
        return await self._run(session, asked, on_event, control or Control(), None)

    async def stream(
        self,
        session: Session,
        prompt: str | None = None,
        *,
        images: Sequence[ImageSource] = (),
        control: Control | None = None,
    ) -> AsyncIterator[AgentEvent]:
        """Yield the events of a run as they come; leaving the iteration cancels the run. Raises SessionBusy.

        The model's stream is paused while 1,024 events wait to be taken.
        """
        backlog, steering = Backlog(), control or Control()
        asked = None if prompt is None else Queued(prompt, tuple(images))
        task = asyncio.ensure_future(self._run(session, asked, backlog.put, steering, backlog.room))
        task.add_done_callback(lambda _: backlog.close())
        try:
            while (event := await backlog.get()) is not None:
                yield event
            await task
        finally:
            if not task.done():
                steering.cancel()
                await asyncio.wait([task])
                # Whoever has left does not want to know; that nobody asked would be a warning.
                _ = task.cancelled() or task.exception()

    async def compact(
        self,
        session: Session,
        instructions: str = "",
        *,
        on_event: Callable[[AgentEvent], object] | None = None,
        control: Control | None = None,
    ) -> Compacted | CompactionFailed | Unchanged | End:
        """Make the history of a session smaller now; return what came of it. Raises SessionBusy.

        `instructions` are for this summary. An `End` says that it was cancelled, or could not be saved.
        """
        run, driver, sink = self._begun(session, on_event, control or Control(), None)
        return await self._driven(session, driver, sink, compact_by_hand(run, instructions))

    async def _run(
        self,
        session: Session,
        asked: Queued | None,
        watch: Callable[[AgentEvent], object] | None,
        control: Control,
        room: Callable[[], Awaitable[None]] | None,
    ) -> RunResult:
        run, driver, sink = self._begun(session, watch, control, room)
        return run.result(await self._driven(session, driver, sink, loop(run, asked)))

    async def _driven(self, session: Session, driver: Driver, sink: Sink, steps: Steps[T]) -> T:
        """Drive `steps` to their end, one run a session at a time."""
        session.take()
        try:
            end = await driver.drive(steps)
            if sink.error is not None:
                raise sink.error
            return end
        finally:
            session.release()

    def _begun(
        self,
        session: Session,
        watch: Callable[[AgentEvent], object] | None,
        control: Control,
        room: Callable[[], Awaitable[None]] | None,
    ) -> tuple[Run, Driver, Sink]:
        """Return what a run consists of; nothing has happened yet."""
        run = Run(session, self.settings, control, clock=self._clock, chance=self._chance, targets=self._tools.targets)
        sink = Sink(watch, control)
        tools = Dispatcher(
            self._tools,
            sink,
            session,
            hooks=self._hooks,
            locks=self._locks,
            bounds=self._bounds,
            vision=lambda: run.caps.vision,
            offered=lambda name: any(tool.name == name for tool in run.settings.tools),
            sequential=self._sequential,
        )
        save = self._save
        driver = Driver(
            run,
            self._transport,
            tools,
            sink,
            save=None if save is None else lambda at: save(at, session),
            hooks=self._hooks,
            shape=self._shape(),
            room=room,
            event_idle_s=self._event_idle_s,
        )
        return run, driver, sink

    def _shape(self) -> Callable[[ModelRequest, int], ModelRequest]:
        """Return what adds, for one run, the settings that the loop does not know; all attempts at a turn are alike."""
        texts: dict[int, str] = {}
        more: dict[str, Any] = {
            "cache_long": self._cache_long,
            "block_images": self._block_images,
        }
        system = self._system

        def shape(request: ModelRequest, step: int) -> ModelRequest:
            if not callable(system):
                return replace(request, **more)
            if step not in texts:
                texts.clear()
                texts[step] = system()
            return replace(request, system=texts[step], **more)

        return shape


def _above_zero(**fields: float | None) -> None:
    for name, value in fields.items():
        if value is not None and not (is_number(value) and value > 0):
            raise ConfigError(name, "must be above 0")


def _instances(**fields: tuple[object, type]) -> None:
    for name, (value, kind) in fields.items():
        if value is not None and not isinstance(value, kind):
            raise ConfigError(name, f"must be of type {kind.__name__}")
