"""Trees to search, in memory and on disk, and the search tools over ripgrep and over Python."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from beyond_agent.machine.files import LocalFiles
from beyond_agent.machine.runner import LocalRunner
from beyond_agent.seams import Command, Entry, FileInfo, Finished, Workplace
from beyond_agent_core.errors import ExecutionFailed, InvalidInput
from beyond_agent_core.tools import ToolContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from beyond_agent.seams import CommandRunner, FileSystem


class MemoryTree:
    """A FileSystem of what is below `/w`: a path's content, or the error that reading it raises.

    The error at a folder's `!` is that of listing it. Nothing is ever written: a search that does fails its test.
    """

    def __init__(self, tree: Mapping[str, bytes | OSError]) -> None:
        self.tree = {f"/w/{path}": content for path, content in tree.items()}
        self.links: set[str] = set()

    def info(self, path: str) -> FileInfo:
        if path in self.tree:
            kind = "other" if path.endswith(".fifo") else "file"
            return FileInfo(kind=kind, size=1, mode=0o644, stamp=())
        if path in ("/", "/w") or any(each.startswith(f"{path}/") for each in self.tree):
            return FileInfo(kind="directory", size=1, mode=0o755, stamp=())
        raise FileNotFoundError(2, "No such file or directory", path)

    def canonical(self, path: str) -> str:
        return path

    def read(self, path: str, at_most: int | None = None) -> bytes:
        content = self.tree.get(path)
        if content is None:
            raise FileNotFoundError(2, "No such file or directory", path)
        if isinstance(content, OSError):
            raise content
        return content[:at_most]

    def replace(self, path: str, content: bytes, *, expected: FileInfo | None = None) -> None:
        del content, expected
        raise AssertionError(f"a search wrote {path}")

    def make_directories(self, path: str) -> None:
        raise AssertionError(f"a search made {path}")

    def entries(self, path: str) -> Iterator[Entry]:
        prefix = "/" if path == "/" else f"{path}/"
        content = self.tree.get(f"{path}/!")
        if isinstance(content, OSError):
            raise content
        below = [each.removeprefix(prefix) for each in self.tree if each.startswith(prefix)]
        for name in dict.fromkeys(each.partition("/")[0] for each in below):
            yield Entry(name=name, kind=self.info(prefix + name).kind, link=prefix + name in self.links)


class RecordingRunner:
    """A CommandRunner that prints what it is given, in pieces, and remembers what it was asked to run."""

    def __init__(self, *printed: bytes, finished: Finished | None = None, failure: OSError | None = None) -> None:
        self.commands: list[Command] = []
        self._printed = printed
        self._finished = Finished(code=0) if finished is None else finished
        self._failure = failure

    async def run(self, command: Command, output: Callable[[bytes], object]) -> Finished:
        self.commands.append(command)
        if self._failure is not None:
            raise self._failure
        for piece in self._printed:
            output(piece)
        return self._finished


def nowhere() -> tuple[str, ...]:
    """Say that there is no ripgrep."""
    return ()


def somewhere() -> tuple[str, ...]:
    """Say that there is one ripgrep."""
    return ("/bin/rg",)


def context() -> ToolContext:
    """Return what a call gets."""
    return ToolContext("call_1", vision=False, cancelled=lambda: False, progress=lambda _text, _details: None)


def memory_place(tree: Mapping[str, bytes | OSError], runner: CommandRunner | None = None) -> Workplace:
    """Return a workplace whose files are these."""
    return place("/w", MemoryTree(tree), RecordingRunner() if runner is None else runner)


def place(cwd: Path | str, files: FileSystem | None = None, runner: CommandRunner | None = None) -> Workplace:
    """Return a workplace over real files and programs, or over those given."""
    return Workplace(
        cwd=str(cwd),
        files=LocalFiles() if files is None else files,
        runner=LocalRunner() if runner is None else runner,
        spill=cast("Any", None),
    )


async def outcome(tool: Any, **given: Any) -> str:
    """Return the text of a call, or of the error that it ends with."""
    try:
        return cast("str", await tool.run(given, context()))
    except (InvalidInput, ExecutionFailed) as error:
        return f"{type(error).__name__}: {error}"


def answer(tool: Any, **given: Any) -> str:
    """Return the outcome of a call in an event loop of its own."""
    return asyncio.run(outcome(tool, **given))
