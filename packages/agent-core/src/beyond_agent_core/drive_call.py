"""One model call: the request's last shape, the stream of its answer, and the watch over a stream that stalls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from beyond_agent_core import drive_hooks as hook
from beyond_agent_core.effects import CallFailed, CallModel
from beyond_agent_core.errors import RunFault
from beyond_agent_core.events import Streamed
from beyond_agent_core.hooks import LOG
from beyond_agent_core.transport import TransportFailed, fault_of
from beyond_wire.accumulate import Accumulator
from beyond_wire.errors import WireError
from beyond_wire.types import ModelRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from beyond_agent_core.events import AgentEvent
    from beyond_agent_core.hooks import Hooks
    from beyond_agent_core.transport import ModelTransport
    from beyond_wire.types import StreamEvent, Turn

EVENT_IDLE_S: Final = 600.0
"""Seconds without an event of the answer after which a stream has stalled; keep-alives are none."""


class ModelCall:
    """Asks a transport; `cancelled` is looked at for each event, the other parts are the driver's."""

    def __init__(
        self,
        transport: ModelTransport,
        emit: Callable[[AgentEvent], None],
        hooks: Hooks,
        *,
        cancelled: Callable[[], bool],
        shape: Callable[[ModelRequest, int], ModelRequest] | None,
        room: Callable[[], Awaitable[object]] | None,
        idle_s: float,
    ) -> None:
        self._transport = transport
        self._emit = emit
        self._hooks = hooks
        self._cancelled = cancelled
        self._shape = shape
        self._room = room
        self._idle_s = idle_s

    async def ask(self, effect: CallModel) -> Turn | CallFailed | None:
        """Return the answer or how it failed; None where the run was cancelled meanwhile."""
        request = await self._shaped(effect)
        if self._cancelled():
            return None
        answer = Accumulator()
        watch = _Watch(self._idle_s)
        stream = self._transport.stream(request)
        try:
            return await self._taken(stream, answer, watch, told=effect.purpose == "turn")
        except (TransportFailed, WireError) as error:
            fault = fault_of(error, started=watch.started)
        except asyncio.CancelledError:
            if not watch.stalled:
                raise
            message = f"no event of the answer for {self._idle_s:g} s"
            fault = RunFault(code="stream_stalled", message=message, transient=True, started=True)
        finally:
            watch.stop()
            close: Callable[[], Awaitable[object]] | None = getattr(stream, "aclose", None)
            if close is not None:
                await close()
        return CallFailed(fault, usage=answer.turn().usage)

    async def _taken(
        self, stream: AsyncIterator[StreamEvent], answer: Accumulator, watch: _Watch, *, told: bool
    ) -> Turn | None:
        watch.begin()
        async for event in stream:
            watch.seen()
            answer.add(event)
            if told:
                self._emit(Streamed(event=event))
            if self._cancelled():
                return None
            if self._room is not None:
                watch.waiting = True
                await self._room()
                watch.waiting = False
                watch.seen()
        return answer.turn()

    async def _shaped(self, effect: CallModel) -> ModelRequest:
        request = effect.request
        if self._shape is not None and effect.purpose == "turn":
            request = self._shape(request, effect.step)
        hooked = self._hooks.before_provider_request
        replaced = await hook.call_quietly(hooked, "before_provider_request", request)
        if replaced is None or isinstance(replaced, ModelRequest):  # pyright: ignore[reportUnnecessaryIsInstance] - hooks are others' code
            return replaced or request
        LOG.warning("hook before_provider_request returned %s, not ModelRequest", type(replaced).__name__)
        return request


class _Watch:
    """Cancels the current task when no event was seen for `idle_s`, unless it is we who are `waiting`.

    One timer a stream, because one an event costs more than the event.
    """

    def __init__(self, idle_s: float) -> None:
        self.started = False
        self.stalled = False
        self.waiting = False
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._last = self._loop.time()
        self._timer = self._loop.call_later(self._idle_s, self._look)

    def seen(self) -> None:
        self.started = True
        self._last = self._loop.time()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.stalled and self._task is not None:
            self._task.uncancel()

    def _look(self) -> None:
        now = self._loop.time()
        left = self._idle_s - (0 if self.waiting else now - self._last)
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        elif self._task is not None:
            self.stalled = True
            self._task.cancel()
