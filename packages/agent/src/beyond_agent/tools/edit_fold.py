"""Text as a model is likely to repeat it, and the way back to what stands there.

Models write straight quotes for curly ones, plain spaces for odd ones, and no blanks at the end of a line. Both texts
are folded to that and compared; a match is then mapped back, so that nothing outside it is touched. Folding a whole
file is done by C code; the way back is found only for the lines in which a match begins or ends.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from typing import Final

_PLAIN: Final = (
    ("'", "\u2018\u2019\u201a\u201b\u02bc\u2032"),
    ('"', "\u201c\u201d\u201e\u201f"),
    ("-", "\u2010\u2012\u2013\u2014\u2015\u2212"),
    (" ", "\u1680"),
)
"""What NFKC leaves: quotes, dashes, and the one space of those it does not make plain."""
_BLANKS: Final = " \t"
_STEP: Final = 4096
_PART: Final = re.compile(r"[^\n]{512,}?(?<=[\x00-\x7f])(?=[\x00-\x7f])|[^\n]+")


def characters(text: str) -> str:
    """Return the text in NFKC, with ASCII quotes, dashes and spaces."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    for plain, odd in _PLAIN:
        for each in odd:
            text = text.replace(each, plain)
    return text


def without_trailing_blanks(text: str) -> str:
    """Return the text without blanks at the ends of its lines."""
    # Most lines with blanks have one or two: to take those off everywhere is twice as fast as to look at every line.
    for _ in range(2):
        if " \n" not in text and "\t\n" not in text:
            return text.rstrip(_BLANKS)
        text = text.replace(" \n", "\n").replace("\t\n", "\n")
    return "\n".join([line.rstrip(_BLANKS) for line in text.split("\n")])


class Folded:
    """A file's text, folded. `text` is what to search, `same` says that folding changed nothing."""

    def __init__(self, original: str) -> None:
        self.text = without_trailing_blanks(characters(original))
        self.same = self.text == original
        self._starts = _Lines(original, self.text)
        self._ends = _Lines(original, self.text)

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """Return where a match stands in the original; None where it begins or ends inside one character of it.

        Asked in order, it takes the time of one pass over the text, however many matches a line has.
        """
        line = self._starts.at(start)
        # Blanks before the line's end are not part of what begins with that end.
        first = line.stop if self.text.startswith("\n", start) else line.back(start)
        last = self._ends.at(end).back(end)
        return None if first is None or last is None else (first, last)


class _Lines:
    """The lines of both texts, looked at in order. Folding adds and takes no line."""

    def __init__(self, original: str, folded: str) -> None:
        self._original = original
        self._folded = folded
        self._line = self._from(0, 0)

    def at(self, place: int) -> _Line:
        """Return the line of a place of the folded text; fast where it is not before the last."""
        line = self._line
        if not line.folded_start <= place <= line.folded_stop:
            folded_start, start = (line.folded_start, line.start) if place > line.folded_stop else (0, 0)
            skipped = self._folded.count("\n", folded_start, place)
            start = _after_lines(self._original, start, skipped)
            self._line = line = self._from(self._folded.rfind("\n", 0, place) + 1, start)
        return line

    def _from(self, folded_start: int, start: int) -> _Line:
        folded_stop = self._folded.find("\n", folded_start)
        stop = self._original.find("\n", start)
        return _Line(
            self._original[start : stop if stop >= 0 else None],
            start,
            folded_start,
            folded_stop if folded_stop >= 0 else len(self._folded),
        )


class _Line:
    """One line of the original: `start` and `stop` there, and in the folded text.

    What is found of the way back is kept: the parts of the line that were folded, and the boundaries in the last.
    """

    def __init__(self, text: str, start: int, folded_start: int, folded_stop: int) -> None:
        self.start = start
        self.stop = start + len(text)
        self.folded_start = folded_start
        self.folded_stop = folded_stop
        self._ascii = text.isascii()
        # Nothing composes over two ASCII characters, so a long line is folded in parts up to the one with the boundary.
        self._rest = _PART.finditer(text)
        self._parts: list[re.Match[str]] = []
        self._folded_ends: list[int] = []
        self._last: tuple[int, list[int], list[int]] = (-1, [], [])

    def back(self, place: int) -> int | None:
        """Return the place in the original of a boundary, given in the folded text; None where there is none."""
        column = place - self.folded_start
        if self._ascii:
            return self.start + column
        while (done := self._folded_ends[-1] if self._folded_ends else -1) < column:
            part = next(self._rest, None)
            if part is None:
                return None
            self._parts.append(part)
            self._folded_ends.append(max(done, 0) + len(characters(part[0])))
        number = bisect_left(self._folded_ends, column)
        if number != self._last[0]:
            self._last = (number, *_boundaries(self._parts[number][0]))
        _, originals, folded = self._last
        column -= self._folded_ends[number - 1] if number else 0
        at = bisect_left(folded, column)
        return self.start + self._parts[number].start() + originals[at] if folded[at] == column else None


def _after_lines(text: str, start: int, lines: int) -> int:
    """Return where a line begins, `lines` after the one that begins at `start`, in steps that grow, then shrink."""
    step = _STEP
    while True:
        passed = text.count("\n", start, start + step)
        if passed < lines:
            lines -= passed
            start += step
            step *= 2
        elif step > _STEP:
            step //= 2
        else:
            break
    for _ in range(lines):
        start = text.index("\n", start) + 1
    return start


def _boundaries(line: str) -> tuple[list[int], list[int]]:
    """Return where a line can be cut so that its parts fold alone to what they fold to together, before and after.

    A mark that combines stays with what it stands on; another character is cut off unless the two compose, as parts of
    a Hangul syllable do.
    """
    originals, folded = [0], [0]
    part = part_folded = ""
    for index, character in enumerate(line):
        alone = character if character < "\x80" else characters(character)
        together = part_folded + alone
        if part and (_combines(character) or (alone > "\x7f" and characters(part + character) != together)):
            part += character
            part_folded = characters(part)
            originals[-1], folded[-1] = index + 1, folded[-2] + len(part_folded)
        else:
            part, part_folded = character, alone
            originals.append(index + 1)
            folded.append(folded[-1] + len(alone))
    return originals, folded


def _combines(character: str) -> bool:
    return character > "\u02ff" and unicodedata.combining(unicodedata.normalize("NFKD", character)[0]) != 0
