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
        self._original = original
        # Starts of one line in both texts. Folding adds and takes no line, and matches are asked for in order.
        self._starts = (0, 0)

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """Return where a match stands in the original; None where it begins or ends inside one character of it."""
        first, last = self._back(start, ends=False), self._back(end, ends=True)
        return None if first is None or last is None else (first, last)

    def _back(self, at: int, *, ends: bool) -> int | None:
        """Return the place of a boundary; one that `ends` a match belongs to the character before it."""
        folded_start, start = self._line_of(at)
        if not ends and self.text.startswith("\n", at):
            # Blanks before the line's end are not part of what begins with that end.
            found = self._original.find("\n", start)
            return len(self._original) if found < 0 else found
        stop = self._original.find("\n", start)
        found = _column(self._original[start : stop if stop >= 0 else None], at - folded_start)
        return None if found is None else start + found

    def _line_of(self, at: int) -> tuple[int, int]:
        """Return where the line of a place of `text` begins in `text`, and where it begins in the original."""
        folded_start, start = self._starts if at >= self._starts[0] else (0, 0)
        skipped = self.text.count("\n", folded_start, at)
        if skipped:
            self._starts = (self.text.rfind("\n", 0, at) + 1, _after_lines(self._original, start, skipped))
        else:
            self._starts = (folded_start, start)
        return self._starts


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


def _column(line: str, column: int) -> int | None:
    """Return the index in `line` of a boundary that stands at `column` of the folded line."""
    if line.isascii():
        return column
    done = folded_done = 0
    # Nothing composes over two ASCII characters, so a long line is folded in parts up to the one with the boundary.
    for part in _PART.findall(line):
        length = len(characters(part))
        if column <= folded_done + length:
            originals, folded = _boundaries(part)
            at = bisect_left(folded, column - folded_done)
            return done + originals[at] if folded[at] == column - folded_done else None
        done += len(part)
        folded_done += length
    return None


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
