"""The bash tool: one command in a shell, whatever it prints, however it ends.

No output is lost in any ending: a call that is cancelled, too slow or killed returns what was printed, and says so in a
last line. So a cancel is answered with a result, and not passed on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from beyond_agent.seams import Command, Finished
from beyond_agent.tools.bash_capture import Capture
from beyond_agent.tools.paths import reason, resolve
from beyond_agent_core.errors import ExecutionFailed, InvalidInput
from beyond_agent_core.tools import ToolOutput

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from beyond_agent.seams import Workplace
    from beyond_agent_core.tools import ToolContext

SHELLS: Final = ("/bin/bash", "bash", "sh")
"""What runs a command where no shell is chosen: the first that is there (agent contract, bash)."""
SNAPSHOT_S: Final = 0.1
"""Seconds between two snapshots of progress: more often nobody is told (agent-core contract, tools)."""

_Result = TypeVar("_Result")


class BashTool:
    """Runs a command in a shell, with its output as result; an error where it fails."""

    name = "bash"
    description = "Run a shell command. Returns stdout and stderr together, the end of it where it is long."
    exclusive = True
    read_only = False

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self.input_schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                "command": {"type": "string", "description": "Command line for bash."},
                "cwd": {"type": "string", "description": "Directory to run in."},
                "timeout_ms": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 2147483647,
                    "description": f"Milliseconds it may take, by default {round(place.bash_timeout * 1000)}.",
                },
            },
            "required": ["command"],
        }

    async def run(self, given: dict[str, Any], context: ToolContext) -> ToolOutput:
        """Run the command. Raises InvalidInput for what no shell can take and for a bad cwd, else ExecutionFailed."""
        timeout_ms = given.get("timeout_ms")
        timeout = self._place.bash_timeout if timeout_ms is None else timeout_ms / 1000
        line: str = given["command"]
        _must_be_passable(line)
        cwd = self._place.cwd
        if "cwd" in given:
            cwd = resolve(given["cwd"], cwd)
            await self._must_be_directory(cwd)
        capture = Capture(self._place.spill)
        snapshots = _Snapshots(capture, context)
        finished: Finished | None = None
        try:
            finished = await self._in_shell(line, cwd, timeout, snapshots)
        except asyncio.CancelledError:
            # What the command has printed is worth more than the exception: the result says that it was cancelled.
            pass
        except OSError as error:
            await self._must_be_directory(cwd)
            raise ExecutionFailed(reason(error)) from error
        finally:
            snapshots.end()
            await _to_its_end(asyncio.ensure_future(capture.end()))
        return _output(capture, finished, timeout)

    async def _in_shell(self, line: str, cwd: str, timeout: float, snapshots: _Snapshots) -> Finished:  # noqa: ASYNC109 - the runner ends the command, not the coroutine
        """Run a command in the first shell that is there."""
        shells = SHELLS if self._place.shell is None else (self._place.shell,)
        for shell in shells:
            command = Command(argv=(shell, "-c", line), cwd=cwd, timeout=timeout, merge=True)
            try:
                running = asyncio.ensure_future(self._place.runner.run(command, snapshots.take))
                return await _to_its_end(running, stop=running.cancel)
            except FileNotFoundError as error:
                # The same error says that there is no such cwd.
                if error.filename not in (None, shell):
                    raise
        raise ExecutionFailed(f"no shell was found: {', '.join(shells)}")

    async def _must_be_directory(self, path: str) -> None:
        """Raise InvalidInput for a cwd that cannot be one."""
        try:
            info = await asyncio.to_thread(self._place.files.info, path)
        except OSError as error:
            raise InvalidInput(f"cwd {path}: {reason(error)}") from None
        if info.kind != "directory":
            raise InvalidInput(f"cwd {path}: not a directory")


class _Snapshots:
    """Passes pieces on to a capture and shows a watcher what there is: at once, then a bounded number of times.

    A timer sees to it that the last piece before a silence is shown too.
    """

    def __init__(self, capture: Capture, context: ToolContext) -> None:
        self._capture = capture
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._news = False

    def take(self, piece: bytes) -> Awaitable[None] | None:
        busy = self._capture.take(piece)
        self._news = True
        if self._timer is None:
            self._show()
        return busy

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _show(self) -> None:
        self._timer = None
        if self._news:
            self._news = False
            self._context.progress(self._capture.snapshot(), self._capture.details())
            self._timer = self._loop.call_later(SNAPSHOT_S, self._show)


async def _to_its_end(work: asyncio.Future[_Result], *, stop: Callable[[], object] | None = None) -> _Result:
    """Return what comes of `work`. The first cancel calls `stop`, further ones nothing: its end is near, and is due."""
    while not work.done():
        try:
            await asyncio.wait((work,))
        except asyncio.CancelledError:
            if stop is not None:
                stop()
                stop = None
    return work.result()


def _must_be_passable(line: str) -> None:
    """Raise InvalidInput for a command that no program can be given."""
    try:
        line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise InvalidInput(f"command: half of a surrogate pair at character {error.start} is not text") from None
    if "\0" in line:
        raise InvalidInput("command: no program can be given a NUL")


def _output(capture: Capture, finished: Finished | None, timeout: float) -> ToolOutput:
    """Return the result of a command; None for one that was cancelled."""
    text = capture.text()
    if not text.strip():
        text = "(no output)"
    ending = _ending(finished, timeout)
    details = capture.details() | {
        "exit_code": None if finished is None else finished.code,
        "signal": None if finished is None else finished.signal,
        "timed_out": finished is not None and finished.timed_out,
        "cancelled": finished is None,
    }
    if ending is None:
        return ToolOutput(text=text, details=details)
    return ToolOutput(text=f"{text}\n\n{ending}", is_error=True, details=details)


def _ending(finished: Finished | None, timeout: float) -> str | None:
    """Return what the last line says of how a command ended, None for a good end (agent contract, bash)."""
    if finished is None:
        return "Command cancelled"
    if finished.timed_out:
        return f"Command timed out after {round(timeout, 3):.10g} seconds"
    if finished.signal is not None:
        return f"Command killed by signal {finished.signal}"
    return None if finished.code == 0 else f"Command exited with code {finished.code}"
