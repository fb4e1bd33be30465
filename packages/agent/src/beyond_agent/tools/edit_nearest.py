"""The line of a file that a text which is not in it may have meant, for the error that says so."""

from __future__ import annotations

import re
from typing import Final

from beyond_agent.tools.edit_fold import characters

_WORD: Final = re.compile(r"\w+|[^\w\s]")
_LINE_CHARACTERS: Final = 200
"""Characters of a line that are compared and shown."""
_COMPARED: Final = 200
"""Lines with the most words in common that are compared letter by letter."""
_SCANNED: Final = 100_000
"""Lines that are looked at; a text not found in a longer file is likely not in its first part either way."""


def nearest_line(text: str, sought: str) -> tuple[int, str] | None:
    """Return number, from 1, and text of the line most like what `sought` begins with; None for a file of blanks.

    Where that line is the same but for its blanks, and more were sought, it is the first of them that differs.
    """
    wanted = [line.strip() for line in characters(sought).split("\n")]
    while wanted and not wanted[0]:
        del wanted[0]
    if not wanted:
        return None
    lines = text.split("\n", _SCANNED)[:_SCANNED]
    at = _most_alike(lines, wanted[0][:_LINE_CHARACTERS])
    if at is None:
        return None
    for offset, want in enumerate(wanted):
        here = at + offset
        if here < len(lines) and _plain(lines[here]) != want[:_LINE_CHARACTERS] and lines[here].strip():
            return here + 1, lines[here][:_LINE_CHARACTERS]
    return at + 1, lines[at][:_LINE_CHARACTERS]


def _most_alike(lines: list[str], wanted: str) -> int | None:
    """Return the index of the line most like `wanted`, the first of equals.

    Comparing letters costs a millisecond for ten lines, so the lines with most words in common are chosen first.
    """
    words = set(_WORD.findall(wanted.casefold()))
    scores: list[tuple[float, int]] = []
    for index, line in enumerate(lines):
        plain = _plain(line)
        if plain == wanted:
            return index
        if plain:
            found = set(_WORD.findall(plain.casefold()))
            scores.append((-len(words & found) / (len(words | found) or 1), index))
    if not scores:
        return None
    from difflib import SequenceMatcher  # noqa: PLC0415 - only an error needs it

    scores.sort()
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    best, best_ratio = scores[0][1], -1.0
    for _, index in scores[:_COMPARED]:
        matcher.set_seq1(_plain(lines[index]))
        if matcher.real_quick_ratio() > best_ratio and (ratio := matcher.ratio()) > best_ratio:
            best, best_ratio = index, ratio
    return best


def _plain(line: str) -> str:
    return characters(line[: 4 * _LINE_CHARACTERS]).strip()[:_LINE_CHARACTERS]
