"""Decodes on a copy a response body that a provider compressed although identity was asked for (gw contract, usage).

A few kilobytes of gzip can stand for gigabytes, and this runs between two reads of a relay. So output comes in pieces
of bounded size, and decoding stops for good once what came out is out of proportion to what went in.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_BYTES: Final = 1 << 16
"""Largest piece of decoded output, so that memory does not follow the ratio."""

MAX_BYTES: Final = 256 << 20
"""Most bytes ever decoded of one response: a second of work, and far above any real answer."""

MAX_RATIO: Final = 200
"""Most bytes out for a byte in, judged after the first MiB. Token streams reach 10 to 30; gzip could do 1,030."""

_JUDGED_AFTER: Final = 1 << 20
_WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class Inflater:
    """The decoded body of one response. `stopped` says that some of it will never come: unknown, broken, or a bomb.

    `encoding` is the value of Content-Encoding in lower case; gzip and deflate (zlib or raw) are known. Raises nothing.
    """

    __slots__ = ("_bits", "_ended", "_given", "_taken", "_zlib", "stopped")

    def __init__(self, encoding: str) -> None:
        self._bits = _WINDOW_BITS.get(encoding, 0)
        self.stopped = not self._bits
        self._zlib = None if self.stopped else zlib.decompressobj(self._bits)
        self._taken = 0
        self._given = 0
        self._ended = False  # a member is complete, and of the next none was decoded: it may be padding

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what `chunk` decodes to, in pieces of at most 64 KiB."""
        if self._bits == 15 and not self._taken and chunk and chunk[0] & 0x8F != 0x08:
            self._bits = -15  # deflate without the zlib header that RFC 9110, 8.4.1.2 asks for
            self._zlib = zlib.decompressobj(self._bits)
        self._taken += len(chunk)
        piece = b""
        while (chunk or len(piece) == PIECE_BYTES) and self._zlib is not None:
            try:
                piece = self._zlib.decompress(chunk, PIECE_BYTES)
            except zlib.error:
                self._stop(padding=self._ended)
                return
            chunk = self._zlib.unconsumed_tail
            if self._zlib.eof:
                self._ended = True
                chunk = self._zlib.unused_data
                self._zlib = zlib.decompressobj(self._bits)
            elif piece:
                self._ended = False
            self._given += len(piece)
            if self._given > MAX_BYTES or self._given > max(_JUDGED_AFTER, MAX_RATIO * self._taken):
                self._stop(padding=False)
                return
            if piece:
                yield piece

    def _stop(self, *, padding: bool) -> None:
        self._zlib = None
        self.stopped = not padding
