"""Runs the calls of one turn: all announced, each gated, as many at a time as may be, results in call order.

A call never ends the run: whatever it does becomes its result. Calls are told apart by position, because a model may
repeat an id. At a cancel finished calls keep their results, and the others get one that says so.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

from beyond_agent_core.clip import within_turn
from beyond_agent_core.dispatch_call import Call, ToolBounds
from beyond_agent_core.dispatch_locks import WriteLocks
from beyond_agent_core.effects import ToolResult, ToolsDone
from beyond_agent_core.events import ToolStart
from beyond_agent_core.hooks import LOG, Hooks
from beyond_agent_core.run import BROKEN_OFF
from beyond_agent_core.tools import ToolOutput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from beyond_agent_core.effects import RunTools, Why
    from beyond_agent_core.events import AgentEvent
    from beyond_agent_core.session import Session
    from beyond_agent_core.tools import ToolRegistry

AT_ONCE: Final = 8
"""Calls that run at the same time (agent-core contract, tools)."""


class Dispatcher:
    """Runs calls with the tools of a registry, for one run on `session`; `emit` gets the events.

    `offered` says whether the model has a tool of this name now, and `vision` whether it sees images. `locks` may be
    shared with other dispatchers: then no two of them write one path at the same time.
    """

    def __init__(
        self,
        tools: ToolRegistry,
        emit: Callable[[AgentEvent], None],
        session: Session,
        *,
        hooks: Hooks | None = None,
        locks: WriteLocks | None = None,
        bounds: ToolBounds | None = None,
        vision: Callable[[], bool] = bool,
        offered: Callable[[str], bool] | None = None,
        sequential: bool = False,
    ) -> None:
        self._tools = tools
        self._emit = emit
        self._session = session
        self._hooks = hooks or Hooks()
        self._locks = locks or WriteLocks()
        self._bounds = bounds or ToolBounds()
        self._vision = vision
        self._offered = offered
        self._sequential = sequential
        self._left_behind: set[asyncio.Future[Any]] = set()

    async def run(self, effect: RunTools, interrupt: asyncio.Future[Why]) -> ToolsDone:
        """Return every call's result; `interrupt` cuts short what still runs, and says why."""
        calls: list[Call] = []
        for block in effect.calls:
            tool = self._tools.get(block.name) if self._offered is None or self._offered(block.name) else None
            calls.append(Call(block, tool, self._emit, self._bounds))
            self._emit(ToolStart(id=block.id, name=block.name, input=block.input))
        try:
            if not interrupt.done():
                await self._work(calls, effect.bad_args, interrupt)
        finally:
            # Also where a hook or a tool has broken its promises: what was announced has its end.
            for call in calls:
                call.end(ToolOutput(text=BROKEN_OFF, is_error=True))
        results = [call.result for call in calls if call.result is not None]
        return ToolsDone(
            results=_bounded(results, self._bounds.turn_bytes),
            interrupted=interrupt.result() if interrupt.done() else None,
        )

    async def _work(self, calls: Sequence[Call], bad_args: dict[str, str], interrupt: asyncio.Future[Why]) -> None:
        """Run the calls to their end, or to the interrupt."""
        alone = self._sequential or any(getattr(call.tool, "exclusive", False) for call in calls)
        task = asyncio.ensure_future((self._serially if alone else self._together)(calls, bad_args))
        await asyncio.wait([task, interrupt], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        else:
            await self._break_off(task, calls)

    async def _serially(self, calls: Sequence[Call], bad_args: dict[str, str]) -> None:
        """Gate, run and finish one call before the next."""
        for call in calls:
            if await self._gate(call, bad_args):
                await self._one(call)

    async def _together(self, calls: Sequence[Call], bad_args: dict[str, str]) -> None:
        """Gate all in call order; then those that write one path in their order, and all others at once."""
        ready = [call for call in calls if await self._gate(call, bad_args)]
        groups: dict[object, list[Call]] = {}
        for at, call in enumerate(ready):
            target = call.write_target()
            groups.setdefault(at if target is None else target, []).append(call)
        slots = asyncio.Semaphore(AT_ONCE)

        async def group(members: Iterable[Call]) -> None:
            async with slots:
                for call in members:
                    await self._one(call)

        async with asyncio.TaskGroup() as tasks:
            for members in groups.values():
                tasks.create_task(group(members))

    async def _gate(self, call: Call, bad_args: dict[str, str]) -> bool:
        # A repeated id may name a call whose arguments were read beside one whose were not.
        raw = None if call.block.input else bad_args.get(call.block.id)
        return await call.gate(raw, lambda given: self._tools.check(call.block.name, given), self._hooks, self._session)

    async def _one(self, call: Call) -> None:
        """Run one call that has been let through, and tell its end; no other one writes its path meanwhile."""
        target = call.write_target()
        try:
            async with asyncio.timeout(self._bounds.timeout_s):
                give_up = None if target is None else await self._locks.hold(target)
        except TimeoutError:
            # A write that was left behind holds its path until it has ended, which may be never.
            return call.end(
                ToolOutput(text=f"{self._timed_out()}: another write of its path has not ended", is_error=True)
            )
        work = asyncio.ensure_future(call.work(self._vision()))
        if give_up is not None:
            # With the work, and not with this coroutine, which may leave it behind.
            work.add_done_callback(lambda _: give_up())
        try:
            await asyncio.wait([work], timeout=self._bounds.timeout_s)
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work])
            await call.settle(work, self._hooks)
            raise
        if work.done():
            return await call.settle(work, self._hooks)
        call.over = True
        work.cancel()
        await asyncio.wait([work], timeout=self._bounds.grace_s)
        if not work.done():
            self._leave(work, [call])
        return call.end(ToolOutput(text=self._timed_out(), is_error=True))

    def _timed_out(self) -> str:
        return f"tool execution failed: timed out after {self._bounds.timeout_s:g} s"

    async def _break_off(self, task: asyncio.Future[None], calls: Sequence[Call]) -> None:
        """End what still runs; what comes to an end in its time keeps its result, the rest is left behind."""
        for call in calls:
            call.over = True
        task.cancel()
        await asyncio.wait([task], timeout=self._bounds.grace_s)
        if not task.done():
            self._leave(task, [call for call in calls if call.result is None])
        elif not task.cancelled():
            task.result()

    def _leave(self, task: asyncio.Future[Any], calls: Sequence[Call]) -> None:
        names = ", ".join(call.block.name for call in calls)
        LOG.warning("left behind after %g s: %s", self._bounds.grace_s, names)
        self._left_behind.add(task)
        task.add_done_callback(self._left_behind.discard)


def _bounded(results: Sequence[ToolResult], most: int) -> tuple[ToolResult, ...]:
    texts = within_turn([result.text for result in results], most)
    return tuple(msgspec.structs.replace(one, text=text) for one, text in zip(results, texts, strict=True))
