r"""Answers written down beforehand, as JSON: a list, each entry used once, the first that matches a request.

    [
      {"text": "Hello."},
      {"match": "weather", "tool_calls": [{"name": "forecast", "arguments": {"city": "Turin"}}]},
      {"match": "/v1/messages", "reasoning": "Let me see.", "text": "Sunny.", "usage": {"input": 9, "output": 3}},
      {"status": 529, "delay": 0.5}
    ]

| field | means |
|---|---|
| `match` | substring of the request's last user text or of its path; absent matches everything |
| `text` | the visible answer |
| `tool_calls` | `name` and `arguments` (object) of each call, after the text |
| `reasoning` | thinking text |
| `usage` | `input`, `output`, `cached`, `cache_write`, `cache_write_1h`, `reasoning`, as they stand on the wire |
| `status` | an error of that status in the vendor's shape |
| `delay` | seconds before the head of the answer |

When no entry is left that matches, the provider answers by echo.
"""

from pathlib import Path
from typing import Annotated

import msgspec


class ScriptError(ValueError):
    """The script's author wrote something unusable; the text names file, entry and field."""


class ToolCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call of a tool: its name, and its arguments as an object."""

    name: str
    arguments: dict[str, object] = {}


class Counts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Token counts as they stand on the wire; None is computed from the texts."""

    input: int | None = None
    output: int | None = None
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One written answer."""

    match: str = ""
    text: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    usage: Counts | None = None
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 200
    delay: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class Script:
    """Written answers that are taken one by one; not for use from several threads."""

    def __init__(self, entries: tuple[Entry, ...] = ()) -> None:
        self._left = list(entries)

    @classmethod
    def parse(cls, text: str | bytes) -> "Script":
        """Return the script in this JSON text; `ScriptError` names the entry and field that is wrong."""
        try:
            return cls(msgspec.json.decode(text, type=tuple[Entry, ...]))
        except msgspec.DecodeError as fault:
            raise ScriptError(f"script: {fault}") from None

    @classmethod
    def load(cls, path: Path) -> "Script":
        """Return the script in this file; `ScriptError` also when it cannot be read. Blocks."""
        try:
            return cls.parse(path.read_bytes())
        except OSError as fault:
            raise ScriptError(f"{path}: {fault.strerror}") from None
        except ScriptError as fault:
            raise ScriptError(f"{path}: {fault}") from None

    def __len__(self) -> int:
        return len(self._left)

    def take(self, user_text: str, path: str) -> Entry | None:
        """Return the first entry left that matches, removed from the script; None when there is none."""
        for index, entry in enumerate(self._left):
            if entry.match in user_text or entry.match in path:
                return self._left.pop(index)
        return None
