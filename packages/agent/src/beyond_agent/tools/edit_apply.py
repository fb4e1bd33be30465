"""New text put in the places that were found, in one splice, with the line ends of what it replaces."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_agent.tools.edit_match import lf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_agent.tools.edit_match import Source, Span

_END: Final = re.compile("\r\n|\r|\n")


class Change(NamedTuple):
    """One place and what comes there, both in LF space; `edit` is the number of the edit that asks for it."""

    span: Span
    new: str
    edit: int


class _NearEnds:
    """The line ends of a text, asked for in order: what was found is kept, so that a long line is looked at once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next = _END.search(text)

    def of(self, start: int, end: int) -> str:
        """Return the end of the line that `text[start:end]` stops in, of the line before for the last."""
        if self._next is not None and self._next.start() < end:
            self._next = _END.search(self._text, end)
        return self._before(start) if self._next is None else self._next[0]

    @cached_property
    def _last(self) -> int:
        return max(self._text.rfind("\n"), self._text.rfind("\r"))

    def _before(self, start: int) -> str:
        text, last = self._text, self._last
        before = last if last < start else max(text.rfind("\n", 0, start), text.rfind("\r", 0, start))
        return "\r\n" if text[max(before - 1, 0) : before + 1] == "\r\n" else text[before] if before >= 0 else "\n"


def spliced(source: Source, changes: Sequence[Change]) -> str:
    """Return the new text of a file. `changes` are in order and do not overlap."""
    original = source.original
    line_end = _only_end(original)
    near = _NearEnds(original)
    pieces: list[str] = []
    done = 0
    places = source.places(place for change in changes for place in change.span)
    for (_, new, _), start, end in zip(changes, places, places, strict=True):
        pieces.append(original[done:start])
        if line_end is None:
            pieces.append(_with_ends(new, original[start:end], near.of(start, end)))
        else:
            pieces.append(new.replace("\n", line_end))
        done = end
    pieces.append(original[done:])
    return "".join(pieces)


def _only_end(text: str) -> str | None:
    """Return the line end of a text that has but one kind, LF where it has none, None where it is mixed."""
    if "\r" not in text:
        return "\n"
    pairs, all_lf, all_cr = text.count("\r\n"), text.count("\n"), text.count("\r")
    kinds = [end for end, count in (("\r\n", pairs), ("\n", all_lf - pairs), ("\r", all_cr - pairs)) if count]
    return kinds[0] if len(kinds) == 1 else None


def _with_ends(new: str, old: str, near: str) -> str:
    """Return `new` with the line ends of `old`: lines that stay keep theirs, one that comes takes that in its place.

    Lines that stay are those that are the same from the start or from the end; a line too many takes the end of the one
    before it, and `near` where no line ends in `old`.
    """
    ends: list[str] = _END.findall(old)
    old_lines, new_lines = lf(old).split("\n"), new.split("\n")
    most = min(len(old_lines), len(new_lines)) - 1
    head = 0
    while head < most and old_lines[head] == new_lines[head]:
        head += 1
    tail = 0
    if old_lines[-1] == new_lines[-1]:
        while tail < most - head and old_lines[-2 - tail] == new_lines[-2 - tail]:
            tail += 1
    middle = ends[: len(ends) - tail]
    wanted = len(new_lines) - 1 - tail
    middle = middle[:wanted] + [middle[-1] if middle else near] * (wanted - len(middle))
    used = [*middle, *ends[len(ends) - tail :], ""]
    return "".join([line + end for line, end in zip(new_lines, used, strict=True)])
