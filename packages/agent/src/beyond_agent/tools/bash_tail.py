"""The end of an output of any length: its last lines within the bounds, and what was before them in numbers.

The bytes are held in one buffer, which is cut to the bound whenever it has grown to twice that: so a byte is moved once
at most, and memory does not grow with the output or with its longest line.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from beyond_agent.tools.text import MOST_BYTES, MOST_LINES, size_text

# One more than is shown, so that it is known whether what is shown begins a line, and the newline of the last line.
_KEPT: Final = MOST_BYTES + 2
_CONTINUATION: Final = range(0x80, 0xC0)


class Shown(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The tail of an output, without its last newline: `lines` of `total_lines`, and which bound has cut it.

    `partial` says that it is the end of one line, of `line_bytes` bytes, which is longer than the bound.
    """

    text: str
    lines: int
    total_lines: int
    total_bytes: int
    line_bytes: int
    cut_by: Literal["lines", "bytes"] | None = None
    partial: bool = False

    @property
    def details(self) -> dict[str, Any] | None:
        """What watchers are told of the cut; None where there is none."""
        if self.cut_by is None:
            return None
        return {
            "truncated_by": self.cut_by,
            "total_lines": self.total_lines,
            "total_bytes": self.total_bytes,
            "output_lines": self.lines,
            "output_bytes": len(self.text.encode()),
            "last_line_partial": self.partial,
        }

    @property
    def extent(self) -> str:
        """What of the output is shown, as the notice of a cut says it (agent contract, bash)."""
        if self.partial:
            shown = size_text(len(self.text.encode()))
            return f"Showing last {shown} of line {self.total_lines} (line is {size_text(self.line_bytes)})"
        lines = f"Showing lines {self.total_lines - self.lines + 1}-{self.total_lines} of {self.total_lines}"
        return lines if self.cut_by == "lines" else f"{lines} ({size_text(MOST_BYTES)} limit)"


class OutputTail:
    """Takes text as UTF-8 in pieces of whole characters; `total_bytes` and `total_lines` count all of it."""

    def __init__(self) -> None:
        self.total_bytes = 0
        self._newlines = 0
        self._buffer = bytearray()
        self._open_bytes = 0
        self._closed_bytes = 0

    @property
    def total_lines(self) -> int:
        """Lines so far; a last newline begins none."""
        return self._newlines + (self._open_bytes > 0)

    @property
    def cut(self) -> bool:
        """Whether the whole output is more than may be shown."""
        return self.total_lines > MOST_LINES or self.total_bytes - (not self._open_bytes) > MOST_BYTES

    def add(self, piece: bytes) -> None:
        """Put the next piece behind the others."""
        self.total_bytes += len(piece)
        last = piece.rfind(b"\n")
        if last < 0:
            self._open_bytes += len(piece)
        else:
            self._newlines += piece.count(b"\n")
            before = piece.rfind(b"\n", 0, last)
            self._closed_bytes = self._open_bytes + last if before < 0 else last - before - 1
            self._open_bytes = len(piece) - last - 1
        self._buffer += piece
        if len(self._buffer) > 2 * _KEPT:
            del self._buffer[:-_KEPT]

    def shown(self) -> Shown:
        """Return the last lines within the bounds; where one line alone is over them, its end."""
        held = self._buffer
        end = len(held) - held.endswith(b"\n")
        start = max(0, end - MOST_BYTES)
        partial = False
        if start > 0 and held[start - 1] != ord("\n"):
            newline = held.find(b"\n", start, end)
            partial = newline < 0
            start = start if partial else newline + 1
            while partial and held[start] in _CONTINUATION:
                start += 1
        by_bytes = start > 0
        lines = held.count(b"\n", start, end) + 1
        by_lines = lines > MOST_LINES
        if by_lines:
            lines = MOST_LINES
            start = end
            for _ in range(MOST_LINES):
                start = held.rfind(b"\n", 0, start)
            start += 1
        return Shown(
            text=held[start:end].decode(),
            lines=lines,
            total_lines=self.total_lines,
            total_bytes=self.total_bytes,
            line_bytes=self._open_bytes or self._closed_bytes,
            cut_by="lines" if by_lines else "bytes" if by_bytes else None,
            partial=partial,
        )
