"""A user and a project on a real disk, and tools that do nothing, for the tests of prompt, trust and policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beyond_agent import places
from beyond_agent.options import Options
from beyond_agent.prompt.load import load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from beyond_agent.places import Places
    from beyond_agent.prompt.load import Prompt
    from beyond_agent_core.tools import ToolContext

TODAY = "2025-01-31"


class NamedTool:
    """A tool that has a name and writes the file in its argument `path`, if it is no reader."""

    input_schema: dict[str, Any] = {"type": "object"}  # noqa: RUF012 - the seam asks for an attribute

    def __init__(self, name: str, description: str = "Does it. At length.", *, read_only: bool = False) -> None:
        self.name = name
        self.description = description
        self.read_only = read_only

    def write_target(self, given: dict[str, Any]) -> str | None:
        return f"/real/{given['path']}" if self.name in {"edit", "write"} else None

    def read_target(self, given: dict[str, Any]) -> str | None:
        return f"/real/{given['path']}" if self.name == "read" else None

    def run(self, given: dict[str, Any], context: ToolContext) -> str:
        del given, context
        return "done"


READERS = frozenset({"find", "grep", "logs", "ls", "read"})


def named(*names: str) -> list[NamedTool]:
    """Return tools of these names; those that the contract calls readers are readers."""
    return [NamedTool(name, read_only=name in READERS) for name in names]


class Project:
    """A home, and a repository in it with a directory below; `put` writes a file under the first."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.root = self.home / "repo"
        self.cwd = self.root / "a" / "b"
        self.cwd.mkdir(parents=True)
        (self.root / ".git").mkdir()

    def put(self, path: str, content: str | bytes = "text") -> str:
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(file)

    @property
    def places(self) -> Places:
        return places.find({}, str(self.home), str(self.cwd))

    def load(self, *, trusted: bool = True, tools: Iterable[NamedTool] = (), **options: Any) -> Prompt:
        given = [*named("read"), *tools]
        return load(self.places, Options(**options), given, today=TODAY, trusted=trusted)
