"""Runners and spill folders for the tests of the process tools, and a look at what processes there are."""

from __future__ import annotations

import asyncio
import inspect
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from beyond_agent.machine.files import LocalFiles
from beyond_agent.seams import Finished, Workplace
from beyond_agent_core.tools import ToolContext, ToolOutput

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from beyond_agent.seams import Command, CommandRunner, SpillFolder
    from beyond_agent_core.tools import Tool


class FakeRunner:
    """A CommandRunner that keeps the commands and plays one ending; `missing` are programs that there are not."""

    def __init__(
        self,
        *pieces: bytes,
        ending: Finished | OSError | None = None,
        missing: Collection[str] = (),
        then: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.commands: list[Command] = []
        self._pieces = pieces
        self._ending = ending or Finished(code=0)
        self._missing = missing
        self._then = then

    async def run(self, command: Command, output: Callable[[bytes], object]) -> Finished:
        self.commands.append(command)
        if command.argv[0] in self._missing:
            raise FileNotFoundError(2, "No such file or directory", command.argv[0])
        for piece in self._pieces:
            answer = output(piece)
            if inspect.isawaitable(answer):
                await answer
        if self._then is not None:
            await self._then()
        if isinstance(self._ending, OSError):
            raise self._ending
        return self._ending

    @property
    def argv(self) -> list[tuple[str, ...]]:
        """What has been run."""
        return [tuple(command.argv) for command in self.commands]


class MemorySpill:
    """A SpillFile that is bytes, with room for so many."""

    def __init__(self, path: str, room: int, fault: OSError | None) -> None:
        self.path = path
        self.content = b""
        self.written = 0
        self.writes = 0
        self.open = True
        self._room = room
        self._fault = fault

    def write(self, piece: bytes) -> None:
        assert self.open
        self.writes += 1
        if self._fault is not None:
            raise self._fault
        self.content += piece[: self._room - self.written]
        self.written = len(self.content)

    def close(self) -> None:
        self.open = False


class MemorySpills:
    """A SpillFolder in memory. `refuses` is raised instead of making a file, `breaks` at the first write."""

    def __init__(self, room: int = 2**30, *, refuses: OSError | None = None, breaks: OSError | None = None) -> None:
        self.files: list[MemorySpill] = []
        self._room = room
        self._refuses = refuses
        self._breaks = breaks

    def open(self, stem: str) -> MemorySpill:
        if self._refuses is not None:
            raise self._refuses
        self.files.append(MemorySpill(f"/spill/{stem}-{len(self.files)}.log", self._room, self._breaks))
        return self.files[-1]


def place(runner: CommandRunner, spill: SpillFolder | None = None, *, cwd: object = "/", **more: Any) -> Workplace:
    """Return a workplace with this runner, real files, and spilled output in memory."""
    return Workplace(cwd=str(cwd), files=LocalFiles(), runner=runner, spill=spill or MemorySpills(), **more)


class Told:
    """What calls have told on their way; `first` is set with the first of it."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.snapshots: list[str] = []
        self.details: list[dict[str, Any] | None] = []
        self.context = ToolContext("call_1", vision=False, cancelled=lambda: False, progress=self._tell)

    def _tell(self, snapshot: str, details: dict[str, Any] | None) -> None:
        self.snapshots.append(snapshot)
        self.details.append(details)
        self.first.set()


def running(tool: Tool, told: Told | None = None, **given: Any) -> asyncio.Task[ToolOutput]:
    """Begin a call; text alone comes as an output."""

    async def run() -> ToolOutput:
        returned = await cast("Awaitable[ToolOutput | str]", tool.run(given, (told or Told()).context))
        return ToolOutput(text=returned) if isinstance(returned, str) else returned

    return asyncio.get_running_loop().create_task(run())


def call(tool: Tool, told: Told | None = None, **given: Any) -> ToolOutput:
    """Run a tool in an event loop of its own and return what it gives."""

    async def run() -> ToolOutput:
        return await running(tool, told, **given)

    return asyncio.run(run())


def processes(marker: str) -> list[int]:
    """Return the processes that have `marker` in their command line; those that have ended have none."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if marker.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def children(parent: int) -> list[int]:
    """Return the children of a process, ended ones that it has not reaped with them."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(entry.name))
    return found


def descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def gone(marker: str, seconds: float) -> bool:
    """Whether the last process with `marker` ends within so many seconds."""
    return comes(lambda: not processes(marker), seconds)


def comes(true: Callable[[], bool], seconds: float) -> bool:
    """Whether something comes true within so many seconds."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
