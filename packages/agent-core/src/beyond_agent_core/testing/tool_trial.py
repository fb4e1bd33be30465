"""A tool on trial: what it is tried with, and one call of it as the dispatcher would make it, with nothing mended."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from beyond_agent_core.dispatch_call import is_async
from beyond_agent_core.dispatch_threads import in_thread
from beyond_agent_core.errors import ConfigError, InvalidInput
from beyond_agent_core.schema import Checker
from beyond_agent_core.tools import ToolContext, ToolOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_agent_core.tools import Tool

ENDS_S: Final = 5.0
"""Seconds within which a cancelled call must end (agent-core contract, tools)."""

BLOCKED_S: Final = 0.5
"""Seconds that a tool may keep the event loop: a loaded machine takes some of them."""


class Tried(NamedTuple):
    """What one call came to: what it returned, or what it raised."""

    returned: object = None
    raised: BaseException | None = None

    @property
    def failed(self) -> bool:
        """Whether the model would be told of an error."""
        return self.raised is not None or (isinstance(self.returned, ToolOutput) and self.returned.is_error)


class Trial(NamedTuple):
    """A tool, input that it must take and input that it must refuse.

    `ends_s` is how long a call may take to end, `blocked_s` how long it may keep the event loop.
    """

    tool: Tool
    good: Sequence[dict[str, Any]]
    bad: Sequence[dict[str, Any]]
    ends_s: float = ENDS_S
    blocked_s: float = BLOCKED_S

    def taken(self, given: dict[str, Any]) -> dict[str, Any] | None:
        """Return what the tool gets of `given`; None where its schema refuses that, or cannot be checked."""
        try:
            return Checker(self.tool.input_schema).check(given).input
        except (ConfigError, InvalidInput):
            return None

    def begin(self, given: dict[str, Any], call: OneCall) -> asyncio.Task[object]:
        """Start a call."""
        return asyncio.ensure_future(self._call(given, call.context))

    async def run(self, given: dict[str, Any]) -> Tried:
        """Return what a call comes to; one that hangs is a TimeoutError, after `ends_s`."""
        call = OneCall()
        task = self.begin(given, call)
        await asyncio.wait([task], timeout=self.ends_s)
        if not task.done():
            call.over = True
            task.cancel()
            await asyncio.wait([task], timeout=self.ends_s)
            return Tried(raised=TimeoutError(f"has not ended in {self.ends_s:g} s"))
        if task.cancelled():
            return Tried(raised=asyncio.CancelledError())
        error = task.exception()
        return Tried(task.result()) if error is None else Tried(raised=error)

    async def _call(self, given: dict[str, Any], context: ToolContext) -> object:
        tool = self.tool
        if is_async(tool):
            returned = tool.run(given, context)
        else:
            returned = await in_thread(tool.run, given, context, name=f"trial of {tool.name}")
        return await returned if inspect.isawaitable(returned) else returned


class OneCall:
    """The context of one call, and what was told by it."""

    def __init__(self) -> None:
        self.over = False
        self.told: list[object] = []
        self.context = ToolContext("trial", vision=True, cancelled=lambda: self.over, progress=self._tell)

    def _tell(self, snapshot: object, _details: object = None) -> None:
        self.told.append(snapshot)


def copied(given: dict[str, Any]) -> dict[str, Any]:
    """Return a deep copy of an input."""
    return msgspec.to_builtins(given)
