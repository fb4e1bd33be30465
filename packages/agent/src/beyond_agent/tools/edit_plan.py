"""What an edit call asks for, and where in the file each of it goes: all is checked before anything is changed."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from beyond_agent.tools.edit_apply import Change
from beyond_agent.tools.edit_match import all_matches, lf, matches
from beyond_agent_core.errors import InvalidInput

if TYPE_CHECKING:
    from beyond_agent.tools.edit_match import Source, Span

_LINES_NAMED: Final = 20
"""Lines that an error names; their number is always whole."""


class Edit(NamedTuple):
    """One replacement, in LF space; `every` says that all matches are meant."""

    old: str
    new: str
    every: bool


def edits_of(given: dict[str, Any]) -> list[Edit]:
    """Return what is to be replaced, in LF space. Raises InvalidInput for a form that is not one of the two."""
    listed: list[dict[str, str]] = given.get("edits") or []
    pair = {key: given[key] for key in ("old_string", "new_string") if key in given}
    if listed and pair:
        raise InvalidInput("give either edits or old_string and new_string, not both")
    if not listed and len(pair) < 2:
        raise InvalidInput(
            f"{'new_string' if 'old_string' in pair else 'edits, or old_string and new_string,'} missing"
        )
    every = given.get("replace_all", False)
    if every and len(listed) > 1:
        raise InvalidInput("replace_all takes a single edit")
    edits = [Edit(lf(each["old_string"]), lf(each["new_string"]), every) for each in listed or [pair]]
    for number, edit in enumerate(edits):
        if not edit.old:
            raise InvalidInput(f"edits[{number}]: old_string is empty; use write for a new file")
    return edits


def changes_of(source: Source, edits: list[Edit], shown: str) -> list[Change]:
    """Return what comes where, in order. Raises InvalidInput for text not found or not unique, and for an overlap."""
    changes: list[Change] = []
    for number, edit in enumerate(edits):
        found = all_matches(source, edit.old) if edit.every else matches(source, edit.old)
        if not found:
            raise InvalidInput(f"edits[{number}]: old_string not found in {shown}{_nearest(source, edit.old)}")
        if len(found) > 1 and not edit.every:
            raise InvalidInput(f"edits[{number}]: old_string is not unique in {shown}: {_named(source, found)}")
        changes += [Change(span, edit.new, number) for span in found]
    changes.sort()
    for one, other in pairwise(changes):
        if other.span.start < one.span.end:
            first, second = sorted((one.edit, other.edit))
            raise InvalidInput(f"edits[{first}] and edits[{second}] overlap at line {source.line(other.span.start)}")
    return changes


def _nearest(source: Source, sought: str) -> str:
    from beyond_agent.tools.edit_nearest import nearest_line  # noqa: PLC0415 - only an error needs it

    near = nearest_line(source.text, sought)
    return "" if near is None else f"; the nearest line is {near[0]}: {near[1]}"


def _named(source: Source, found: list[Span]) -> str:
    lines = ", ".join(str(source.line(span.start)) for span in found[:_LINES_NAMED])
    more = ", …" if len(found) > _LINES_NAMED else ""
    return f"{len(found)} matches, at lines {lines}{more}; add lines around it, or set replace_all"
