"""Commands that a person runs in a session, beside the model: one at a time, told like a tool's call.

What such a command has put out goes to the model with the next prompt, in the person's name, unless it is excluded.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from beyond_agent.serve.answers import BashDone
from beyond_agent.serve.faults import CommandFault
from beyond_agent.tools.bash import BashTool
from beyond_agent_core.clip import SNAPSHOT_BYTES
from beyond_agent_core.dispatch_progress import PROGRESS_S, Progress
from beyond_agent_core.errors import ExecutionFailed
from beyond_agent_core.events import ToolEnd, ToolStart
from beyond_agent_core.tools import ToolContext, ToolOutput
from beyond_wire.surrogates import clean_text
from beyond_wire.types import ToolUseBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_agent.seams import Workplace
    from beyond_agent_core.events import AgentEvent

RAN: Final = "I ran this command:"
"""What the model is told before a command and its output."""


class Shell:
    """Runs commands at `place`; `emit` gets their events, and `ended` the task of each behind its end."""

    def __init__(
        self,
        place: Workplace,
        emit: Callable[[AgentEvent], None],
        ended: Callable[[asyncio.Task[Any]], object],
    ) -> None:
        self._tool = BashTool(place)
        self._emit = emit
        self._ended = ended
        self._count = 0
        self._running: asyncio.Task[ToolOutput] | None = None
        self._notes: list[str] = []

    @property
    def busy(self) -> bool:
        """Whether a command runs."""
        return self._running is not None

    def start(self, given: dict[str, Any], *, told: bool) -> asyncio.Task[BashDone]:
        """Start a command, and tell so; its task ends with what came of it. Raises CommandFault where one runs.

        `told` says that the model gets the output with the next prompt.
        """
        if self._running is not None:
            raise CommandFault("busy", "a command is running; accepted now: abort_bash")
        self._count += 1
        block = ToolUseBlock(id=f"bash_{self._count}", name="bash", input=given)
        self._emit(ToolStart(id=block.id, name=block.name, input=given))
        progress = Progress(block, self._emit, interval_s=PROGRESS_S, most_bytes=SNAPSHOT_BYTES)
        loop = asyncio.get_running_loop()
        self._running = loop.create_task(self._output(block, progress), name=block.id)
        task = loop.create_task(self._done(block, progress, self._running, told=told), name=f"{block.id} done")
        task.add_done_callback(self._ended)
        return task

    def abort(self) -> bool:
        """End the command; return whether there was one."""
        return self._running is not None and self._running.cancel()

    async def ended(self) -> None:
        """Return when no command runs."""
        if self._running is not None:
            await asyncio.wait([self._running])

    def take_notes(self) -> list[str]:
        """Return what the model has not been told yet, and count it as told."""
        notes, self._notes = self._notes, []
        return notes

    async def _output(self, block: ToolUseBlock, progress: Progress) -> ToolOutput:
        context = ToolContext(block.id, vision=False, cancelled=bool, progress=progress.told)
        return await self._tool.run(block.input, context)

    async def _done(
        self, block: ToolUseBlock, progress: Progress, running: asyncio.Task[ToolOutput], *, told: bool
    ) -> BashDone:
        fault: Exception | None = None
        await asyncio.wait([running])
        if running.cancelled():
            # It was ended before it had begun.
            output = ToolOutput(text="(no output)\n\nCommand cancelled", is_error=True, details={"cancelled": True})
        elif (error := running.exception()) is None:
            output = running.result()
        else:
            fault = error if isinstance(error, Exception) else None
            output = ToolOutput(text=str(error), is_error=True)
        self._running = None
        progress.end()
        text, details = clean_text(output.text), output.details or {}
        self._emit(ToolEnd(id=block.id, name=block.name, result=text, is_error=output.is_error, details=output.details))
        if isinstance(fault, ExecutionFailed):
            raise CommandFault("io", str(fault))
        if fault is not None:
            raise fault
        if told:
            self._notes.append(f"{RAN}\n\n$ {block.input['command']}\n{text}")
        return BashDone(
            result=text,
            is_error=output.is_error,
            exit_code=details.get("exit_code"),
            cancelled=bool(details.get("cancelled")),
            truncated=details.get("truncation") is not None,
            full_output_path=details.get("full_output_path"),
        )
