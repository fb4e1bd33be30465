"""Where the text to replace stands in a file: as it is written first, else as it may have been meant.

All is found in LF space, where every line end is one LF, and all in the original text: no edit sees another's result.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from itertools import accumulate, islice
from typing import TYPE_CHECKING, NamedTuple

from beyond_agent.tools.edit_fold import Folded, characters, without_trailing_blanks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Span(NamedTuple):
    """Characters from `start` up to `end`, in LF space."""

    start: int
    end: int


class Source:
    """A file's text as it is searched. `original` is with its line ends, `text` in LF space."""

    def __init__(self, original: str) -> None:
        self.original = original
        self.text = lf(original)
        self._pairs = original.count("\r\n")
        self._all_pairs = self._pairs == self.text.count("\n")

    def places(self, ascending: Iterable[int]) -> Iterator[int]:
        """Yield the indices in `original` of places in `text`; each CRLF before one is one longer there."""
        before = done = 0
        for place in ascending:
            if self._all_pairs:
                before += self.text.count("\n", done, place)
            elif self._pairs:
                before = bisect_left(self._second_halves, place)
            done = place
            yield place + before

    @cached_property
    def _second_halves(self) -> list[int]:
        """Places in `text` of the LFs that are CRLF in a file of mixed line ends."""
        lengths = accumulate(map(len, self.original.split("\r\n")[:-1]))
        return [length + number for number, length in enumerate(lengths)]

    def line(self, place: int) -> int:
        """Return the number of the line, from 1, on which a place of `text` is."""
        return self.text.count("\n", 0, place) + 1

    @cached_property
    def folded(self) -> Folded:
        """The text, folded: made once, where it is needed."""
        return Folded(self.text)

    def exact(self, sought: str) -> list[Span]:
        """Return every place of `sought`, also those that overlap."""
        return [Span(at, at + len(sought)) for at in _places(self.text, sought)]

    def alike(self, sought: str) -> list[Span]:
        """Return every place that is `sought` when both are folded, in order.

        Blanks at the end of `sought` may be there, or may be too many at the end of a line.
        """
        kept = _folded(sought)
        if not kept.strip():
            return []
        plain = self.folded.same and kept == sought
        found = self.exact(sought) if plain else self._mapped(kept, lambda _: True)
        bare = kept.rstrip(" \t")
        if found or bare == kept:
            return found
        text = self.folded.text
        return self._mapped(bare, lambda end: end == len(text) or text[end] == "\n")

    def alone(self, place: Span, sought: str) -> bool:
        """Whether no other place than this is alike to `sought`, but for those where it has blanks too many.

        A folded text has the lines of the original, so that this needs no way back.
        """
        if self.text.isascii():
            # Folding takes but blanks from it, so what is alike has the longest line: most often, that is seen faster.
            longest = max(sought.split("\n"), key=len).strip(" \t")
            if longest and len(list(islice(_places(self.text, longest), 2))) == 1:
                return True
        folded = self.folded.text
        lines = [folded.count("\n", 0, at) + 1 for at in islice(_places(folded, _folded(sought)), 2)]
        return lines == [self.line(place.start)]

    def _mapped(self, sought: str, fits: Callable[[int], bool]) -> list[Span]:
        ends = ((at, at + len(sought)) for at in _places(self.folded.text, sought))
        spans = (self.folded.span(at, end) for at, end in ends if fits(end))
        return [Span(*span) for span in spans if span is not None]


def lf(text: str) -> str:
    """Return the text in LF space: CRLF, LF and CR alone are all one LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _folded(sought: str) -> str:
    """Return a text as it is sought in a folded one: what its last line ends with may be in the middle of a line."""
    first, newline, last = characters(sought).rpartition("\n")
    return without_trailing_blanks(first) + newline + last


def matches(source: Source, sought: str) -> list[Span]:
    """Return every place that may be meant, for one that must be unique: the exact ones and those alike to them."""
    exact = source.exact(sought)
    if len(exact) == 1 and source.alone(exact[0], sought):
        return exact
    others = [span for span in source.alike(sought) if not _touches(span, exact)]
    return sorted(exact + others)


def all_matches(source: Source, sought: str) -> list[Span]:
    """Return the places that are replaced together, none overlapping: the exact ones, else those alike."""
    apart: list[Span] = []
    for span in source.exact(sought) or source.alike(sought):
        if not apart or span.start >= apart[-1].end:
            apart.append(span)
    return apart


def _places(text: str, sought: str) -> Iterator[int]:
    at = text.find(sought)
    while at >= 0:
        yield at
        at = text.find(sought, at + 1)


def _touches(span: Span, sorted_spans: list[Span]) -> bool:
    """Whether a span shares a character with one of others, which are of one length."""
    at = bisect_left(sorted_spans, span)
    return any(span.start < other.end and other.start < span.end for other in sorted_spans[max(0, at - 1) : at + 1])
