"""One call of a tool: let through or not, run, and its result told, whatever the tool does.

The order is the contract's: arguments that could not be read, a tool that there is not, the schema, the hook; then the
tool, in its time; then the hook that may replace what it gave.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from beyond_agent_core import drive_hooks as hook
from beyond_agent_core.clip import RESULT_BYTES, SNAPSHOT_BYTES, TURN_BYTES, clipped
from beyond_agent_core.dispatch_progress import PROGRESS_S, Progress, tellable
from beyond_agent_core.dispatch_threads import in_thread
from beyond_agent_core.effects import ToolResult
from beyond_agent_core.errors import ExecutionFailed, InvalidInput
from beyond_agent_core.events import ToolEnd
from beyond_agent_core.hooks import LOG
from beyond_agent_core.run import BROKEN_OFF
from beyond_agent_core.tools import ToolContext, ToolOutput, target_of
from beyond_wire.surrogates import clean_text
from beyond_wire.types import ImageSource

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable
    from typing import TypeGuard

    from beyond_agent_core.events import AgentEvent
    from beyond_agent_core.hooks import Hooks
    from beyond_agent_core.schema import Checked
    from beyond_agent_core.session import Session
    from beyond_agent_core.tools import Tool
    from beyond_wire.types import ToolUseBlock

ABANDONED_S: Final = 5.0
"""Seconds that a cancelled call may take to end before it is left behind (agent-core contract, tools)."""
RAW_SHOWN: Final = 2_000
"""Characters of unreadable arguments that their result shows."""


class ToolBounds(msgspec.Struct, frozen=True, kw_only=True):
    """What calls may take: seconds of a call (None for no end), bytes of a result and of all results of a turn.

    Then seconds between two snapshots of progress, and bytes of each; and seconds that a cancelled call may take to
    end. Defaults: agent-core contract, agent configuration and tools.
    """

    timeout_s: float | None = None
    result_bytes: int = RESULT_BYTES
    turn_bytes: int = TURN_BYTES
    progress_s: float = PROGRESS_S
    progress_bytes: int = SNAPSHOT_BYTES
    grace_s: float = ABANDONED_S


class Call:
    """One call of a turn. `result` is None until its end has been told; `over` says that nobody waits for it."""

    def __init__(
        self, block: ToolUseBlock, tool: Tool | None, emit: Callable[[AgentEvent], None], bounds: ToolBounds
    ) -> None:
        self.block = block
        self.tool = tool
        self.result: ToolResult | None = None
        self.over = False
        self._emit = emit
        self._bounds = bounds
        self._checked: Checked | None = None
        self._progress = Progress(block, self._tell, interval_s=bounds.progress_s, most_bytes=bounds.progress_bytes)

    async def gate(
        self, raw: str | None, check: Callable[[dict[str, Any]], Checked], hooks: Hooks, session: Session
    ) -> bool:
        """Whether the call may run; where not, its end has been told. `raw` is what could not be read as arguments."""
        if raw is not None:
            shown = raw[:RAW_SHOWN]
            return self._refuse(f"tool call arguments were not valid JSON and could not be parsed: {shown}")
        if self.tool is None:
            return self._refuse(f"unknown tool: {self.block.name}")
        try:
            self._checked = check(self.block.input)
        except InvalidInput as fault:
            return self._refuse(f"invalid tool input: {fault}")
        if hooks.before_tool_call is None:
            return True
        try:
            reason = await hook.call(hooks.before_tool_call, self.block.name, self._checked.input, session)
        except Exception as error:  # noqa: BLE001 - a gate that fails is shut
            reason = f"before_tool_call failed: {type(error).__name__}: {error}"
        return True if reason is None else self._refuse(f"tool call blocked: {reason}")

    @property
    def input(self) -> dict[str, Any]:
        """Arguments as the tool gets them."""
        return self.block.input if self._checked is None else self._checked.input

    def write_target(self) -> str | None:
        """Return the path that the call will write, where its tool says so."""
        return None if self.tool is None else target_of(self.tool, "write_target", self.input)

    async def work(self, vision: bool) -> ToolOutput:  # noqa: FBT001 - a fact of the turn, passed on
        """Run the tool; whatever it raises is its output."""
        tool = self.tool
        assert tool is not None  # noqa: S101 - `gate` has let it through
        context = ToolContext(self.block.id, vision=vision, cancelled=lambda: self.over, progress=self._progress.told)
        try:
            if is_async(tool):
                returned = tool.run(self.input, context)
            else:
                returned = await in_thread(tool.run, self.input, context, name=f"tool {tool.name}")
            return _output(tool.name, await returned if inspect.isawaitable(returned) else returned)
        except InvalidInput as error:
            text = f"invalid tool input: {error}"
        except ExecutionFailed as error:
            text = f"tool execution failed: {error}"
        except OSError as error:
            text = str(error) or type(error).__name__
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a tool raises is its result, and the run goes on
            text = f"tool execution failed: {type(error).__name__}: {error}"
        return ToolOutput(text=text, is_error=True)

    async def settle(self, work: asyncio.Future[ToolOutput], hooks: Hooks) -> None:
        """Tell the end of a call whose work is done; a hook that is cancelled leaves the tool's own output."""
        if work.cancelled():
            broken = BROKEN_OFF if self.over else "tool execution failed: CancelledError"
            return self.end(ToolOutput(text=broken, is_error=True))
        output = given = work.result()
        if self.over:
            return self.end(given)
        try:
            replaced = await hook.call_quietly(
                hooks.after_tool_call, "after_tool_call", self.block.name, self.input, given
            )
            if _is_output(replaced):
                output = msgspec.structs.replace(
                    given, text=replaced.text, is_error=replaced.is_error, images=replaced.images
                )
            elif replaced is not None:
                LOG.warning("hook after_tool_call returned %s, not ToolOutput", type(replaced).__name__)
        finally:
            self.end(output)
        return None

    def end(self, output: ToolOutput) -> None:
        """Tell the end of the call, once: what comes later is nobody's."""
        if self.result is not None:
            return
        self._progress.end()
        notice = ""
        if self._checked is not None and self._checked.unknown:
            several = "s" if len(self._checked.unknown) > 1 else ""
            notice = f"\n[ignored unknown argument{several}: {', '.join(self._checked.unknown)}]"
        room = self._bounds.result_bytes - len(notice.encode("utf-8", "replace"))
        self.result = ToolResult(
            text=clean_text(clipped(clean_text(output.text), room) + notice),
            is_error=output.is_error,
            images=output.images,
            terminate=output.terminate,
        )
        self._emit(
            ToolEnd(
                id=self.block.id,
                name=self.block.name,
                result=self.result.text,
                is_error=output.is_error,
                details=tellable(output.details),
            )
        )

    def _refuse(self, text: str) -> bool:
        self.end(ToolOutput(text=text, is_error=True))
        return False

    def _tell(self, event: AgentEvent) -> None:
        if self.result is None:
            self._emit(event)


def is_async(tool: Tool) -> bool:
    """Whether a tool runs in the event loop; a plain function gets a thread."""
    said: bool | None = getattr(tool, "is_async", None)
    return inspect.iscoroutinefunction(tool.run) if said is None else said


def _output(name: str, given: object) -> ToolOutput:
    """What a tool returned, which types promise and tools may break."""
    if isinstance(given, str):
        return ToolOutput(text=given)
    if _is_output(given):
        return given
    wrong = " of other types" if isinstance(given, ToolOutput) else ""
    raise TypeError(f"{name} returned {type(given).__name__}{wrong}, not text or ToolOutput")


def _is_output(given: object) -> TypeGuard[ToolOutput]:
    """Whether it is one whose fields are what types promise, which a Struct does not check."""
    if not isinstance(given, ToolOutput) or not isinstance(given.text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - others' code
        return False
    images = cast("object", given.images)
    return isinstance(images, tuple | list) and all(
        isinstance(each, ImageSource) for each in cast("Iterable[object]", images)
    )
