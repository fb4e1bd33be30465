"""Runs the calls of one turn: all announced, each gated, as many at a time as may be, results in call order.

A call never ends the run: whatever it does becomes its result. Calls are told apart by position, because a model may
repeat an id. At a cancel finished calls keep their results, and the others get one that says so.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from beyond_agent_core.clip import RESULT_BYTES, clipped, tail, within_turn
from beyond_agent_core.effects import ToolResult, ToolsDone
from beyond_agent_core.errors import ExecutionFailed, InvalidInput
from beyond_agent_core.events import ToolEnd, ToolProgress, ToolStart
from beyond_agent_core.run import BROKEN_OFF
from beyond_agent_core.tools import ToolContext, ToolOutput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from beyond_agent_core.effects import RunTools, Why
    from beyond_agent_core.events import AgentEvent
    from beyond_agent_core.tools import Tool, ToolRegistry
    from beyond_wire.types import ToolUseBlock

AT_ONCE: Final = 8
"""Calls that run at the same time (agent-core contract, tools)."""
ABANDONED_S: Final = 5.0
"""Seconds that a cancelled call may take to end before its result is given up."""
RAW_SHOWN: Final = 2_000
PROGRESS_S: Final = 0.1
"""Seconds between two snapshots of a call."""


class _Call(NamedTuple):
    at: int
    block: ToolUseBlock
    tool: Tool | None


class Dispatcher:
    """Runs calls with the tools of a registry. `emit` gets the events; `vision` says whether the model sees images."""

    def __init__(
        self, tools: ToolRegistry, emit: Callable[[AgentEvent], None], *, vision: bool, sequential: bool = False
    ) -> None:
        self._tools = tools
        self._emit = emit
        self._vision = vision
        self._sequential = sequential
        self._over = False

    async def run(self, effect: RunTools, interrupt: asyncio.Future[Why]) -> ToolsDone:
        """Return every call's result; `interrupt` cuts short what still runs, and says why."""
        calls = [_Call(at, block, self._tools.get(block.name)) for at, block in enumerate(effect.calls)]
        for call in calls:
            self._emit(ToolStart(id=call.block.id, name=call.block.name, input=call.block.input))
        results: dict[int, ToolResult] = {}
        groups = self._groups(calls)
        gate = asyncio.Semaphore(AT_ONCE)

        async def group(members: Sequence[_Call]) -> None:
            async with gate:
                for call in members:
                    results[call.at] = await self._one(call, effect.bad_args)

        tasks = [asyncio.ensure_future(group(members)) for members in groups]
        finished = asyncio.ensure_future(_all(tasks))
        await asyncio.wait([finished, interrupt], return_when=asyncio.FIRST_COMPLETED)
        await self._stop(tasks)
        for call in calls:
            if call.at not in results:
                results[call.at] = self._ended(call, ToolResult(text=BROKEN_OFF, is_error=True), None)
        why = interrupt.result() if interrupt.done() else None
        ordered = [results[call.at] for call in calls]
        texts = within_turn([result.text for result in ordered])
        bounded = (msgspec.structs.replace(one, text=text) for one, text in zip(ordered, texts, strict=True))
        return ToolsDone(results=tuple(bounded), interrupted=why)

    def _groups(self, calls: list[_Call]) -> list[list[_Call]]:
        """Calls that write one path run in their order, and all of them where one call is exclusive; others at once."""
        if self._sequential or any(getattr(call.tool, "exclusive", False) for call in calls):
            return [calls]
        groups: dict[object, list[_Call]] = {}
        for call in calls:
            target = _write_target(call)
            groups.setdefault(call.at if target is None else target, []).append(call)
        return list(groups.values())

    async def _one(self, call: _Call, bad_args: dict[str, str]) -> ToolResult:
        block = call.block
        if block.id in bad_args:
            raw = bad_args[block.id][:RAW_SHOWN]
            text = f"tool call arguments were not valid JSON and could not be parsed: {raw}"
            return self._ended(call, ToolResult(text=text, is_error=True), None)
        if call.tool is None:
            return self._ended(call, ToolResult(text=f"unknown tool: {block.name}", is_error=True), None)
        try:
            output = await self._work(call.tool, block)
        except InvalidInput as error:
            output = ToolOutput(text=f"invalid tool input: {error}", is_error=True)
        except ExecutionFailed as error:
            output = ToolOutput(text=f"tool execution failed: {error}", is_error=True)
        except OSError as error:
            output = ToolOutput(text=str(error), is_error=True)
        except Exception as error:  # noqa: BLE001 - whatever a tool raises is its result, and the run goes on
            output = ToolOutput(text=f"tool execution failed: {type(error).__name__}: {error}", is_error=True)
        result = ToolResult(
            text=clipped(output.text, RESULT_BYTES),
            is_error=output.is_error,
            images=output.images,
            terminate=output.terminate,
        )
        return self._ended(call, result, output.details)

    async def _work(self, tool: Tool, block: ToolUseBlock) -> ToolOutput:
        progress = _Progress(block, self._emit)
        context = ToolContext(block.id, vision=self._vision, cancelled=lambda: self._over, progress=progress.told)
        is_async = getattr(tool, "is_async", None)
        if is_async if is_async is not None else inspect.iscoroutinefunction(tool.run):
            returned = tool.run(block.input, context)
        else:
            returned = await asyncio.to_thread(tool.run, block.input, context)
        try:
            given = await returned if inspect.isawaitable(returned) else returned
            # Snapshots that the call has told from its thread are here before its end is.
            await asyncio.sleep(0)
        finally:
            progress.end()
        return _output(tool.name, given)

    def _ended(self, call: _Call, result: ToolResult, details: dict[str, Any] | None) -> ToolResult:
        block = call.block
        self._emit(ToolEnd(id=block.id, name=block.name, result=result.text, is_error=result.is_error, details=details))
        return result

    async def _stop(self, tasks: Sequence[asyncio.Future[None]]) -> None:
        """End what still runs; what does not end in its time is left behind, its late result unheard."""
        running = [task for task in tasks if not task.done()]
        if not running:
            return
        self._over = True
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=ABANDONED_S)


class _Progress:
    """The snapshots of one call: the first at once, then ten a second at most, the last one always, none behind it."""

    def __init__(self, block: ToolUseBlock, emit: Callable[[AgentEvent], None]) -> None:
        self._block = block
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._waiting: tuple[str, dict[str, Any] | None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False

    def told(self, snapshot: str, details: dict[str, Any] | None = None) -> None:
        """Take all that the call has put out so far, from any thread."""
        self._loop.call_soon_threadsafe(self._take, snapshot, details)

    def end(self) -> None:
        """Tell the last snapshot, and no further one."""
        self._flush()
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()

    def _take(self, snapshot: str, details: dict[str, Any] | None) -> None:
        if self._ended:
            return
        self._waiting = (snapshot, details)
        if self._timer is None:
            self._flush()
            self._timer = self._loop.call_later(PROGRESS_S, self._again)

    def _again(self) -> None:
        self._timer = None
        if self._waiting is not None:
            self._flush()
            self._timer = self._loop.call_later(PROGRESS_S, self._again)

    def _flush(self) -> None:
        if self._waiting is None:
            return
        (snapshot, details), self._waiting = self._waiting, None
        kept, left_out = tail(snapshot)
        if left_out:
            details = {**(details or {}), "omitted_bytes": left_out}
        self._emit(ToolProgress(id=self._block.id, name=self._block.name, snapshot=kept, details=details))


async def _all(tasks: Sequence[asyncio.Future[None]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


def _output(name: str, given: object) -> ToolOutput:
    """What a tool returned, which types promise and tools may break."""
    if isinstance(given, str):
        return ToolOutput(text=given)
    if isinstance(given, ToolOutput):
        return given
    raise TypeError(f"{name} returned {type(given).__name__}, not text or ToolOutput")


def _write_target(call: _Call) -> str | None:
    target = getattr(call.tool, "write_target", None)
    if target is None:
        return None
    try:
        return target(call.block.input)
    except Exception:  # noqa: BLE001 - the call itself will say what is wrong with its input
        return None
