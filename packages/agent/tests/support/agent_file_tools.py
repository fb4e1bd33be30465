"""A workplace over real files, or over files in memory, for the tests of the file tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, cast

from beyond_agent.machine.files import LocalFiles
from beyond_agent.seams import Entry, FileChanged, FileInfo, Workplace
from beyond_agent_core.tools import ToolContext, ToolOutput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beyond_agent.seams import FileSystem
    from beyond_agent_core.tools import Tool


class Nothing:
    """What the file tools must not reach for."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"a file tool reached for {name}")


class MemoryFiles:
    """A FileSystem that is a dict."""

    def __init__(self, **files: bytes) -> None:
        self.files = {f"/w/{name}": content for name, content in files.items()}
        self.changes = 0
        self.failure: OSError | None = None

    def info(self, path: str) -> FileInfo:
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return FileInfo(kind="file", size=len(self.files[path]), mode=0o644, stamp=(self.changes,))

    def canonical(self, path: str) -> str:
        return path

    def read(self, path: str, at_most: int | None = None) -> bytes:
        return self.files[path][:at_most]

    def replace(self, path: str, content: bytes, *, expected: FileInfo | None = None) -> None:
        if self.failure is not None:
            raise self.failure
        if expected is not None and self.info(path) != expected:
            raise FileChanged(116, "changed on disk meanwhile", path)
        self.changes += 1
        self.files[path] = content

    def make_directories(self, path: str) -> None:
        del path

    def entries(self, path: str) -> Iterator[Entry]:
        yield from (Entry(name=each.removeprefix(f"{path}/"), kind="file") for each in self.files)


def workplace(cwd: object = "/w", files: FileSystem | None = None) -> Workplace:
    """Return a workplace in `cwd` with real files, or with those given."""
    nothing = cast("Any", Nothing())
    return Workplace(cwd=str(cwd), files=LocalFiles() if files is None else files, runner=nothing, spill=nothing)


def context(*, vision: bool = True) -> ToolContext:
    """Return what a call gets, for a model that sees images or not."""
    return ToolContext("call_1", vision=vision, cancelled=lambda: False, progress=lambda _text, _details: None)


def call(tool: Tool, *, vision: bool = True, **given: Any) -> ToolOutput:
    """Run a tool and return what it gives, text alone as an output."""
    returned = tool.run(given, context(vision=vision))
    return ToolOutput(text=returned) if isinstance(returned, str) else cast("ToolOutput", returned)
