"""Plain text out of what programs write for terminals, in pieces that may end anywhere.

Colours, titles and other control sequences mean nothing to a model and cost tokens; control characters would break what
shows the text. Most output has neither, and so the work is done on bytes, by whole-piece operations: a piece of ASCII
is looked through three times at the speed of memory and never decoded. Only a sequence or a character that a piece ends
within is held back, at most `HELD_BYTES` of it: a sequence that is longer was none, and its text stays.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from typing import Final

HELD_BYTES: Final = 4096
"""Longest control string, in bytes; titles and links are shorter."""

_CONTROLS: Final = bytes(byte for byte in (*range(0x20), 0x7F) if byte not in b"\t\n")
_C1: Final = re.compile("[\x80-\x9f]")

# ECMA-48, sections 5.3 to 5.6, and ECMA-35, section 13: control sequences, control strings to their terminator or BEL,
# as xterm has it, and escape sequences.
_STRING: Final = rb"[\]PX^_][^\x07\x1b]{0,%d}+" % HELD_BYTES
_SEQUENCE: Final = re.compile(
    rb"\x1b(?:\[[0-?]{0,256}+[ -/]{0,16}+[@-~]|" + _STRING + rb"(?:\x07|\x1b\\)|[ -/]{1,16}+[0-~]|[0-OQ-WYZ\\`-~])"
)
_BEGUN: Final = re.compile(rb"\x1b(?:\[[0-?]{0,256}+[ -/]{0,16}+|" + _STRING + rb"\x1b?|[ -/]{0,16}+)?\Z")


class TerminalText:
    """Takes output in pieces and gives the text in it: UTF-8, whole characters, no control but tab and newline.

    Bytes that are not UTF-8 become U+FFFD.
    """

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._whole = True
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """Return the text of the next piece, as far as it is sure."""
        if self._held or b"\x1b" in piece:
            piece = self._without_sequences(self._held + piece)
        return self._text(piece.translate(None, _CONTROLS))

    def end(self) -> bytes:
        """Return what was held back: a sequence that was never ended loses its escape character only."""
        held, self._held = self._held, b""
        return self._text(held.translate(None, _CONTROLS), final=True)

    def _without_sequences(self, piece: bytes) -> bytes:
        # Looked for before anything is taken out: what that joins is no sequence.
        begun = _BEGUN.search(piece, max(0, len(piece) - HELD_BYTES - 3))
        self._held = b"" if begun is None else begun.group()
        return _SEQUENCE.sub(b"", piece if begun is None else piece[: begun.start()])

    def _text(self, piece: bytes, *, final: bool = False) -> bytes:
        if self._whole and piece.isascii():
            return piece
        text = self._decoder.decode(piece, final)
        self._whole = not self._decoder.getstate()[0]
        encoded = text.encode()
        # All of C1 begins with this byte, and little else does.
        return _C1.sub("", text).encode() if b"\xc2" in encoded else encoded
