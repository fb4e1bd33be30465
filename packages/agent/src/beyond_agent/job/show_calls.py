"""A call of a tool in a line or a few, for the display of a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

if TYPE_CHECKING:
    from beyond_agent_core.events import ToolEnd

DIFF_LINES: Final = 40
"""Lines of a diff; the file itself has the rest."""
MOST_ABOUT: Final = 200
"""Characters of what a call is about."""
ERROR_LINES: Final = 6
"""Last lines of what failed: where programs say why."""
TELLING: Final = ("command", "pattern", "path", "query", "app")
"""The argument that tells most of a call, the first that it has."""


class Call:
    """A call in progress; `since` is the clock when it began, `snapshot` what it has put out so far."""

    __slots__ = ("given", "name", "since", "snapshot")

    def __init__(self, name: str, given: dict[str, Any], since: float) -> None:
        self.name = name
        self.given = given
        self.since = since
        self.snapshot = ""


def heading(call: Call) -> Text:
    """Return the tool and what it is about, on one line."""
    about = " ".join(next((str(call.given[key]) for key in TELLING if key in call.given), "").split())
    shown = about if len(about) <= MOST_ABOUT else about[: MOST_ABOUT - 1] + "…"
    return Text.assemble((call.name, "bold"), "  " if about else "", shown)


def body_of(end: ToolEnd) -> list[Text]:
    """Return what else is shown of an outcome: a diff, or the end of an error."""
    diff = (end.details or {}).get("diff")
    if not end.is_error and isinstance(diff, str):
        return _cut([_diff_line(line) for line in diff.splitlines()])
    if end.is_error:
        lines = end.result.rstrip().splitlines()
        return [Text(f"  {line}", "red") for line in lines[-ERROR_LINES:]]
    return []


def _cut(lines: list[Text]) -> list[Text]:
    if len(lines) <= DIFF_LINES:
        return lines
    return [*lines[:DIFF_LINES], Text(f"  … {len(lines) - DIFF_LINES} more lines", "dim")]


def _diff_line(line: str) -> Text:
    style = {"+": "green", "-": "red"}.get(line[:1], "dim")
    return Text(f"  {line}", style)
