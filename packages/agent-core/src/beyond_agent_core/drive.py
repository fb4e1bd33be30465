"""The asyncio driver: performs what the loop asks, and interrupts it at a cancel or when time is up.

Cancelling the task that runs it is a cancel like any other, seen to its end: the session is repaired and the events are
balanced before CancelledError goes on.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, cast

from beyond_agent_core import effects as ask
from beyond_agent_core.errors import RunFault
from beyond_agent_core.events import AgentEvent, Streamed
from beyond_agent_core.transport import TransportFailed, fault_of
from beyond_wire.accumulate import Accumulator
from beyond_wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
    from typing import Any

    from beyond_agent_core.dispatch import Dispatcher
    from beyond_agent_core.loop import Steps
    from beyond_agent_core.run import End, Run
    from beyond_agent_core.transport import ModelTransport
    from beyond_wire.types import StreamEvent, Turn

EVENT_IDLE_S: Final = 600.0
"""Seconds without an event of the answer after which a stream has stalled; keep-alives are none."""


class Driver:
    """Drives one run. `save` makes the session durable at a checkpoint, and raises where it cannot."""

    def __init__(
        self,
        run: Run,
        transport: ModelTransport,
        tools: Dispatcher,
        emit: Callable[[AgentEvent], None],
        *,
        save: Callable[[str], Awaitable[None]] | None = None,
        stop_after: Callable[[int], bool] | None = None,
        event_idle_s: float = EVENT_IDLE_S,
    ) -> None:
        self._run = run
        self._transport = transport
        self._tools = tools
        self._emit = emit
        self._save = save
        self._stop_after = stop_after
        self._event_idle_s = event_idle_s
        self._cancelled = False
        self._interrupt: asyncio.Future[ask.Why]
        self._retry_aborted: asyncio.Future[None]

    async def drive(self, steps: Steps[End]) -> End:
        """Return the end of the run. Raises CancelledError, after all, where the task was cancelled."""
        loop = asyncio.get_running_loop()
        self._interrupt = loop.create_future()
        self._retry_aborted = loop.create_future()
        control, limits = self._run.control, self._run.settings.limits

        def changed() -> None:
            loop.call_soon_threadsafe(self._look)

        control.changed = changed
        timer = None
        if limits.max_seconds is not None:
            timer = loop.call_later(limits.max_seconds, self._cut, "limit")
        answer: ask.Answer = None
        try:
            while True:
                try:
                    effect = steps.send(answer)
                except StopIteration as stop:
                    end = cast("End", stop.value)
                    break
                answer = self._emit(effect.event) if isinstance(effect, ask.Emit) else await self._to_its_end(effect)
        finally:
            if timer is not None:
                timer.cancel()
        if self._cancelled:
            raise asyncio.CancelledError
        return end

    async def _to_its_end(self, effect: ask.Effect) -> ask.Answer:
        """Perform one effect; a cancel of this task interrupts it and is remembered, so that the run ends in order."""
        work = asyncio.ensure_future(self._perform(effect))
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                self._cancelled = True
                self._run.control.cancel()
                self._cut("cancelled")
        return work.result()

    def _look(self) -> None:
        """Act on what was asked of the control, in the loop's own thread."""
        if self._run.control.cancelled:
            self._cut("cancelled")
        if self._run.control.retry_aborted and not self._retry_aborted.done():
            self._retry_aborted.set_result(None)

    def _cut(self, why: ask.Why) -> None:
        if not self._interrupt.done():
            self._interrupt.set_result(why)

    async def _perform(self, effect: ask.Effect) -> ask.Answer:
        match effect:
            case ask.Emit(event):
                return self._emit(event)
            case ask.CallModel():
                return await self._interruptible(self._call(effect))
            case ask.RunTools():
                return await self._tools.run(effect, self._interrupt)
            case ask.Sleep(seconds=seconds):
                return await self._sleep(seconds)
            case ask.Checkpoint(at):
                return await self._checkpoint(at)
            case ask.AfterTurn(step=step):
                return ask.Stop() if self._stop_after is not None and self._stop_after(step) else ask.GoOn()

    async def _call(self, effect: ask.CallModel) -> Turn | ask.CallFailed | ask.Interrupted:
        answer = Accumulator()
        started = False
        try:
            stream = cast("AsyncGenerator[StreamEvent]", self._transport.stream(effect.request))
            async with aclosing(stream) as events:
                while True:
                    try:
                        async with asyncio.timeout(self._event_idle_s):
                            event = await anext(events)
                    except StopAsyncIteration:
                        return answer.turn()
                    started = True
                    answer.add(event)
                    if effect.purpose == "turn":
                        self._emit(Streamed(event=event))
                    if self._run.control.cancelled:
                        # A stream that is all there would be over before the loop has told us.
                        self._cut("cancelled")
                        return ask.Interrupted("cancelled")
        except (TransportFailed, WireError) as error:
            return ask.CallFailed(fault_of(error, started=started))
        except TimeoutError:
            message = f"no event of the answer for {self._event_idle_s:g} s"
            return ask.CallFailed(RunFault(code="stream_stalled", message=message, transient=True, started=True))

    async def _sleep(self, seconds: float) -> ask.Elapsed | ask.GivenUp | ask.Interrupted:
        await asyncio.wait([self._interrupt, self._retry_aborted], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if self._interrupt.done():
            return ask.Interrupted(self._interrupt.result())
        return ask.GivenUp() if self._retry_aborted.done() else ask.Elapsed()

    async def _checkpoint(self, at: ask.CheckpointAt) -> ask.Saved | ask.CheckpointFailed:
        if self._save is None:
            return ask.Saved()
        try:
            await self._save(at)
        except Exception as error:  # noqa: BLE001 - whatever keeps the session from being saved ends the run in order
            return ask.CheckpointFailed(f"{type(error).__name__}: {error}")
        return ask.Saved()

    async def _interruptible(self, work: Coroutine[Any, Any, ask.Answer]) -> ask.Answer:
        """Do `work`, unless an interrupt comes first; then it is cancelled and its end awaited."""
        if self._interrupt.done():
            work.close()
            return ask.Interrupted(self._interrupt.result())
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait([task, self._interrupt], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
        if task.cancelled():
            return ask.Interrupted(self._interrupt.result())
        return task.result()
