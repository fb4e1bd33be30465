"""Bytes of files as text, and back to the same bytes.

A file is UTF-8 where its bytes allow it, UTF-16 where it begins with that mark, and else Latin-1, which takes any byte:
whatever is decoded here encodes to what it was. So a change to the text leaves all other bytes alone.
"""

from __future__ import annotations

from typing import Final

import msgspec

MOST_LINES: Final = 2000
MOST_BYTES: Final = 51_200
"""Lines and bytes of UTF-8 that a tool shows (agent contract, tools)."""
BINARY_BYTES: Final = 8192
"""Bytes in which a NUL makes a file binary (agent contract, tools)."""
LATIN_1_NOTE: Final = "[not UTF-8: read as Latin-1]"

# A mark of UTF-32 begins with one of UTF-16; such a file is not text here, and its NULs say so.
_UTF_32: Final = b"\xff\xfe\x00\x00"
_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


class BinaryContent(ValueError):  # noqa: N818 - it says what was met
    """The bytes are not text."""


class Decoded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Text without its byte order mark. `encoding` is Python's name of it; `note` tells the reader of a guess."""

    text: str
    encoding: str
    bom: bytes = b""
    note: str | None = None

    def encode(self, text: str) -> bytes:
        """Return the bytes of another text in this encoding. Raises UnicodeEncodeError for what it does not have."""
        return self.bom + text.encode(self.encoding)


def decode(content: bytes) -> Decoded:
    """Return what the bytes say. Raises BinaryContent for a NUL in the first 8 KiB of what is not UTF-16."""
    bom, encoding = next(((mark, name) for mark, name in _MARKS if content.startswith(mark)), (b"", "utf-8"))
    if encoding != "utf-8":
        try:
            if not content.startswith(_UTF_32):
                return Decoded(text=str(memoryview(content)[len(bom) :], encoding), encoding=encoding, bom=bom)
        except UnicodeDecodeError:
            # Half a character: the mark was none.
            pass
        bom = b""
    if b"\0" in content[:BINARY_BYTES]:
        raise BinaryContent
    try:
        return Decoded(text=str(memoryview(content)[len(bom) :], "utf-8"), encoding="utf-8", bom=bom)
    except UnicodeDecodeError:
        return Decoded(text=content.decode("latin-1"), encoding="latin-1", note=LATIN_1_NOTE)


def size_text(size: int) -> str:
    """Return a number of bytes as the tools show it: `{n}B`, `{x.x}KB`, `{x.x}MB`, in steps of 1024."""
    if size < 1024:
        return f"{size}B"
    if size < 1024 * 1024:
        return f"{size / 1024:.1f}KB"
    return f"{size / (1024 * 1024):.1f}MB"
