"""The asyncio driver: performs what the loop asks, and interrupts it at a cancel or when time is up.

Cancelling the task that runs it is a cancel like any other, seen to its end: the session is repaired and the events are
balanced before CancelledError goes on. A fault of driver or hook is thrown into the loop, which ends in order too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar, cast

from beyond_agent_core import drive_hooks as hook
from beyond_agent_core import effects as ask
from beyond_agent_core.dispatch_call import ABANDONED_S
from beyond_agent_core.drive_call import EVENT_IDLE_S, ModelCall
from beyond_agent_core.hooks import LOG, Hooks
from beyond_wire.types import Turn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from beyond_agent_core.control import Control
    from beyond_agent_core.dispatch import Dispatcher
    from beyond_agent_core.events import AgentEvent
    from beyond_agent_core.hooks import Maybe
    from beyond_agent_core.run import Run
    from beyond_agent_core.run_steps import Steps
    from beyond_agent_core.transport import ModelTransport
    from beyond_wire.types import ModelRequest

T = TypeVar("T")


class Sink:
    """Tells a watcher the events of a run; one that raises is told no more, and the run is cancelled.

    `error` is what it raised, for the caller, behind the end.
    """

    def __init__(self, watch: Callable[[AgentEvent], object] | None, control: Control) -> None:
        self.error: Exception | None = None
        self._watch = watch
        self._control = control

    def __call__(self, event: AgentEvent) -> None:
        """Tell one event."""
        if self._watch is None or self.error is not None:
            return
        try:
            self._watch(event)
        except Exception as error:  # noqa: BLE001 - it is raised to the caller when the run has ended in order
            self.error = error
            self._control.cancel()


class Driver:
    """Drives one run.

    `save` makes the session durable at a checkpoint, and raises where it cannot. `shape` has the last word on a request
    of a turn, before the hook. `room` waits until whoever watches has kept up.
    `grace_s` is what a checkpoint may still take when the run is interrupted.
    """

    def __init__(
        self,
        run: Run,
        transport: ModelTransport,
        tools: Dispatcher,
        emit: Callable[[AgentEvent], None],
        *,
        save: Callable[[str], Maybe[object]] | None = None,
        hooks: Hooks | None = None,
        shape: Callable[[ModelRequest, int], ModelRequest] | None = None,
        room: Callable[[], Awaitable[object]] | None = None,
        event_idle_s: float = EVENT_IDLE_S,
        grace_s: float = ABANDONED_S,
    ) -> None:
        self._run = run
        self._tools = tools
        self._emit = emit
        self._save = save
        self._hooks = hooks or Hooks()
        self._grace_s = grace_s
        self._model = ModelCall(
            transport,
            emit,
            self._hooks,
            cancelled=self._cancel_seen,
            shape=shape,
            room=room,
            idle_s=event_idle_s,
        )
        self._cancelled = False
        self._interrupt: asyncio.Future[ask.Why]
        self._retry_aborted: asyncio.Future[None]

    async def drive(self, steps: Steps[T]) -> T:
        """Return what `steps`, a loop or a part of one, come to. Raises CancelledError where the task was cancelled.

        It is raised behind the end of the steps, in order like any other.
        """
        loop = asyncio.get_running_loop()
        self._interrupt = loop.create_future()
        self._retry_aborted = loop.create_future()
        control, limits = self._run.control, self._run.settings.limits

        def changed() -> None:
            loop.call_soon_threadsafe(self._look)

        before, control.changed = control.changed, changed
        timer = None
        if limits.max_seconds is not None:
            timer = loop.call_later(limits.max_seconds, self._cut, "limit")
        try:
            end = await self._steps(steps)
        finally:
            control.changed = before
            if timer is not None:
                timer.cancel()
        if self._cancelled:
            raise asyncio.CancelledError
        return end

    async def _steps(self, steps: Steps[T]) -> T:
        answer: ask.Answer = None
        fault: Exception | None = None
        task = asyncio.current_task()
        before = 0 if task is None else task.cancelling()
        while True:
            try:
                effect = steps.send(answer) if fault is None else steps.throw(fault)
            except StopIteration as stop:
                return cast("T", stop.value)
            answer = fault = None
            if task is not None and task.cancelling() > before:
                # Asked for since the last wait: it would be told too late for what begins now.
                self._cancel()
            try:
                answer = self._emit(effect.event) if isinstance(effect, ask.Emit) else await self._to_its_end(effect)
            except Exception as error:  # noqa: BLE001 - the loop ends the run in order, and tells it
                LOG.error("%s failed", type(effect).__name__, exc_info=error)
                fault = error

    async def _to_its_end(self, effect: ask.Effect) -> ask.Answer:
        """Perform one effect; a cancel of this task interrupts it and is remembered, so that the run ends in order."""
        work = asyncio.ensure_future(self._perform(effect))
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                self._cancel()
        if work.cancelled():
            raise RuntimeError(f"{type(effect).__name__} was cancelled from within")
        return work.result()

    def _cancel(self) -> None:
        """Take a cancel of the task as one of the run."""
        self._cancelled = True
        self._run.control.cancel()
        self._cut("cancelled")

    def _look(self) -> None:
        """Act on what was asked of the control, in the loop's own thread."""
        if self._run.control.cancelled:
            self._cut("cancelled")
        if self._run.control.retry_aborted and not self._retry_aborted.done():
            self._retry_aborted.set_result(None)

    def _cut(self, why: ask.Why) -> None:
        if not self._interrupt.done():
            self._interrupt.set_result(why)

    def _cancel_seen(self) -> bool:
        """Whether the run is cancelled: a stream that is all there would be over before the loop has told us."""
        if not self._run.control.cancelled:
            return False
        self._cut("cancelled")
        return True

    async def _perform(self, effect: ask.Effect) -> ask.Answer:
        match effect:
            case ask.Emit(event):
                return self._emit(event)
            case ask.CallModel():
                return await self._call(effect)
            case ask.RunTools():
                return await self._tools.run(effect, self._interrupt)
            case ask.Sleep(seconds=seconds):
                return await self._sleep(seconds)
            case ask.Checkpoint(at):
                return await self._checkpoint(at)
            case ask.AfterTurn():
                hooked, name = self._hooks.should_stop_after_turn, "should_stop_after_turn"
                return ask.Stop() if await self._hook(hooked, name, self._run.session) else ask.GoOn()

    async def _call(self, effect: ask.CallModel) -> Turn | ask.CallFailed | ask.Interrupted:
        task = await self._unless_interrupted(self._model.ask(effect))
        if task is not None and task.cancelled() and not self._interrupt.done():
            raise RuntimeError("the model call was cancelled from within")
        answer = None if task is None or task.cancelled() else task.result()
        if answer is None:
            return ask.Interrupted(self._interrupt.result())
        if isinstance(answer, Turn) and effect.purpose == "turn":
            await self._hook(self._hooks.on_assistant_message, "on_assistant_message", answer.message)
        return answer

    async def _sleep(self, seconds: float) -> ask.Elapsed | ask.GivenUp | ask.Interrupted:
        await asyncio.wait([self._interrupt, self._retry_aborted], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if self._interrupt.done():
            return ask.Interrupted(self._interrupt.result())
        return ask.GivenUp() if self._retry_aborted.done() else ask.Elapsed()

    async def _checkpoint(self, at: ask.CheckpointAt) -> ask.Saved | ask.CheckpointFailed:
        """Save the session; what an interrupt finds unsaved has its time to end, because the end is worth saving."""
        if self._save is None:
            return ask.Saved()
        task = asyncio.ensure_future(hook.call(self._save, at))
        await asyncio.wait([task, self._interrupt], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await asyncio.wait([task], timeout=self._grace_s)
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=self._grace_s)
        if not task.done() or task.cancelled():
            return ask.CheckpointFailed(f"interrupted, and not saved within {self._grace_s:g} s")
        error = task.exception()
        return ask.Saved() if error is None else ask.CheckpointFailed(f"{type(error).__name__}: {error}")

    async def _hook(self, hooked: Callable[..., Maybe[T]] | None, name: str, *arguments: object) -> T | None:
        """Return what a hook that may only observe returns; None where it fails, or is interrupted."""
        if hooked is None:
            return None
        task = await self._unless_interrupted(hook.call_quietly(hooked, name, *arguments))
        return None if task is None or task.cancelled() else task.result()

    async def _unless_interrupted(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T] | None:
        """Do `work` as a task that is done on return: cancelled by an interrupt, and not begun behind one."""
        if self._interrupt.done():
            work.close()
            return None
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait([task, self._interrupt], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
        return task
