"""What an edit changed, as a unified diff made from the places it is known to have changed: no search for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_agent.tools.text import MOST_BYTES, size_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from beyond_agent.tools.edit_apply import Change

_CONTEXT: Final = 3
"""Lines around a change that are shown."""


class _Block(NamedTuple):
    """Whole lines that changed.

    `first` is the index of the first of them in the old text; `line` and `start` are index and offset of a line at or
    before it, `stop` is the end of a line at or after the last.
    """

    first: int
    old: list[str]
    new: list[str]
    line: int
    start: int
    stop: int


def diff(text: str, changes: Sequence[Change]) -> str:
    """Return the changes of a text as a unified diff without file names, its first 50 KiB in whole lines.

    Text and changes are in LF space; the changes are in order and do not overlap.
    """
    shown: list[str] = []
    room = MOST_BYTES
    shift = 0
    for hunk in _hunks(_blocks(text, changes)):
        for line in _printed(text, hunk, shift):
            room -= len(line.encode("utf-8", "replace")) + 1
            if room < 0:
                return "\n".join([*shown, f"[diff truncated at {size_text(MOST_BYTES)}]"])
            shown.append(line)
        shift += sum(len(block.new) - len(block.old) for block in hunk)
    return "\n".join(shown)


def _blocks(text: str, changes: Sequence[Change]) -> Iterator[_Block]:
    """Yield the lines of each change; changes on one line are one block."""
    line = counted = index = 0
    while index < len(changes):
        start = text.rfind("\n", 0, changes[index].span.start) + 1
        line += text.count("\n", counted, start)
        pieces: list[str] = []
        done, stop = start, len(text)
        while index < len(changes) and changes[index].span.start <= stop:
            span, new, _ = changes[index]
            pieces += (text[done : span.start], new)
            done, stop = span.end, _line_stop(text, span.end)
            index += 1
        pieces.append(text[done:stop])
        old, new_lines = text[start:stop].split("\n"), "".join(pieces).split("\n")
        head, tail = _staying(old, new_lines)
        old, new_lines = old[head : len(old) - tail], new_lines[head : len(new_lines) - tail]
        yield _Block(line + head, old, new_lines, line, start, stop)
        counted = start


def _staying(old: list[str], new: list[str]) -> tuple[int, int]:
    """Return how many lines at the two edges stay."""
    most = min(len(old), len(new))
    head = next((at for at in range(most) if old[at] != new[at]), most)
    tail = next((at for at in range(most - head) if old[-1 - at] != new[-1 - at]), most - head)
    return head, tail


def _line_stop(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found


def _hunks(blocks: Iterable[_Block]) -> Iterator[list[_Block]]:
    """Yield blocks together whose context meets."""
    hunk: list[_Block] = []
    for block in blocks:
        if hunk and block.first - hunk[-1].first - len(hunk[-1].old) > 2 * _CONTEXT:
            yield hunk
            hunk = []
        hunk.append(block)
    if hunk:
        yield hunk


def _printed(text: str, hunk: list[_Block], shift: int) -> Iterator[str]:
    """Yield a hunk; `shift` is by how much the lines before it have grown."""
    base, begin, stop = hunk[0].line, hunk[0].start, hunk[-1].stop
    for _ in range(_CONTEXT):
        if begin > 0:
            base, begin = base - 1, text.rfind("\n", 0, begin - 1) + 1
        stop = _line_stop(text, stop + 1)
    lines = text[begin:stop].split("\n")
    first, last = hunk[0].first - base, hunk[-1].first + len(hunk[-1].old) - base
    start, end = max(0, first - _CONTEXT), min(len(lines), last + _CONTEXT)
    if last < end == len(lines) and stop == len(text) and not lines[-1]:
        # Behind the last line feed is no line, only the end.
        end -= 1
    growth = sum(len(block.new) - len(block.old) for block in hunk)
    yield f"@@ -{base + start + 1},{end - start} +{base + start + 1 + shift},{end - start + growth} @@"
    at = start
    for block in hunk:
        first = block.first - base
        yield from (f" {line}" for line in lines[at:first])
        yield from (f"-{line}" for line in block.old)
        yield from (f"+{line}" for line in block.new)
        at = first + len(block.old)
    yield from (f" {line}" for line in lines[at:end])
