"""Output of a command in bounded memory: its tail for the model, and all of it in a file once that is not all there is.

Bytes go two ways. Their text goes to the tail. The bytes themselves wait: while they are few they are only held, in
case they must begin a file; then they are written in pieces of 128 KiB, in a thread, because a disk may be slow. The
file has them as the program wrote them, with whatever the text leaves out.

A disk that is full takes nothing from the call: the tail stays, and the notice says why there is no file.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from beyond_agent.tools.bash_tail import OutputTail
from beyond_agent.tools.paths import reason
from beyond_agent.tools.terminal_text import TerminalText
from beyond_agent.tools.text import size_text

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from beyond_agent.seams import SpillFile, SpillFolder

SPILL_BYTES: Final = 102_400
"""Bytes above which all output goes to a file, whether or not something is cut (agent contract, bash)."""
_WRITTEN_BYTES: Final = 131_072
# Text full of colours takes some twenty times its size while it is cleaned, and a call may take 1 MiB in all.
_CLEANED_BYTES: Final = 16_384


class Capture:
    """Takes the output of one command in pieces."""

    def __init__(self, folder: SpillFolder) -> None:
        self._folder = folder
        self._terminal = TerminalText()
        self._tail = OutputTail()
        self._taken_bytes = 0
        self._waiting = bytearray()
        self._file: SpillFile | None = None
        self._fault: str | None = None
        self._keeps = True

    def take(self, piece: bytes) -> Awaitable[None] | None:
        """Take the next piece; what is returned is to be awaited before there is another."""
        for start in range(0, len(piece), _CLEANED_BYTES):
            self._tail.add(self._terminal.feed(piece[start : start + _CLEANED_BYTES]))
        self._taken_bytes += len(piece)
        if not self._keeps:
            return None
        self._waiting += piece
        return asyncio.to_thread(self._write) if self._spills and len(self._waiting) >= _WRITTEN_BYTES else None

    async def end(self) -> None:
        """Take note that there is no more: afterwards the file, if there is one, holds all."""
        self._tail.add(self._terminal.end())
        if self._spills or self._file is not None:
            await asyncio.to_thread(self._finish)

    def text(self) -> str:
        """Return the output for the model, without its last newline: its tail, and where that is not all, a notice."""
        shown = self._tail.shown()
        if shown.cut_by is None:
            return shown.text
        if self._file is None:
            return f"{shown.text}\n\n[{shown.extent}. Full output was not kept: {self._fault}]"
        notice = f"{shown.text}\n\n[{shown.extent}. Full output: {self._file.path}]"
        if self._file.written < self._taken_bytes:
            why = "" if self._fault is None else f": {self._fault}"
            sizes = f"{size_text(self._file.written)} of {size_text(self._taken_bytes)}"
            notice += f"\n[The file stops at {sizes}{why}]"
        return notice

    def snapshot(self) -> str:
        """Return the tail of what has come so far."""
        return self._tail.shown().text

    def details(self) -> dict[str, Any]:
        """Return what watchers are told: `truncation`, None for whole output, and `full_output_path`."""
        path = None if self._file is None else self._file.path
        return {"truncation": self._tail.shown().details, "full_output_path": path}

    @property
    def _spills(self) -> bool:
        return self._keeps and (self._taken_bytes > SPILL_BYTES or self._tail.cut)

    def _write(self) -> None:
        """Put into the file what waits; once it is full, or from the first fault on, nothing waits any more."""
        try:
            if self._file is None:
                self._file = self._folder.open("bash")
            self._file.write(bytes(self._waiting))
            self._keeps = self._file.written == self._taken_bytes
        except OSError as error:
            self._fault = reason(error)
            self._keeps = False
        self._waiting.clear()

    def _finish(self) -> None:
        if self._spills:
            self._write()
        if self._file is not None:
            self._file.close()
