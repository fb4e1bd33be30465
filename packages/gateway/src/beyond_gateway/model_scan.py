"""Root members of one JSON object, out of any chunking and in constant memory.

`RootScanner` finds the values of a few root keys without building anything: keys inside strings or nested values never
match, a key written with escapes does, and of duplicate keys the last wins, as in providers' own parsers. It reads the
structure only, so on a document that is not valid JSON it answers with what the root held up to there.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

_START, _ROOT, _SCALAR, _NESTED, _STRING, _DONE = range(6)
_KEY, _COLON, _VALUE, _COMMA = range(4)
_QUOTE: Final = 0x22

_SPACE = re.compile(rb"[ \t\r\n]*+")
_SCALAR_REST = re.compile(rb"[^ \t\r\n,:\"{}\[\]]*+")
# Why lookbehinds and not the usual `[^"\\]*(?:\\.[^"\\]*)*`: `[^"]` runs at memchr's pace, a class of two bytes at a
# tenth of it. A quote after no backslash ends the string, a quote after exactly one does not. After two or more only
# counting tells; there the pattern stops before the string, and the string is walked quote by quote.
_NESTED_RUN = re.compile(rb'(?>[^"{}\[\]]++|"[^"]*+(?<!\\)"|"(?>[^"]*+(?<=[^\\]\\)")*+[^"]*+(?<!\\)")*+')

_text = msgspec.json.Decoder(str).decode


class Member(NamedTuple):
    """Where one root value stands and how it begins.

    `start` and `end` are byte offsets in the whole document; `raw` is a string or scalar as sent (quotes included), cut
    one byte beyond the scanner's limit, or the opening bracket of a nested value.
    """

    start: int
    end: int
    raw: bytes


class RootScanner:
    """The last complete value of each watched root key, while a document passes in chunks.

    `keys` are the names to watch; `limit` is the most bytes of a value kept, with its quotes. Cost is linear in the
    bytes; memory is the limit. Raises nothing.
    """

    __slots__ = (
        "_base",
        "_depth",
        "_escaped",
        "_kept",
        "_key",
        "_key_limit",
        "_keys",
        "_limit",
        "_mode",
        "_part",
        "_room",
        "_start",
        "end",
        "members",
    )

    def __init__(self, keys: tuple[bytes, ...], limit: int) -> None:
        self._keys = keys
        self._limit = limit + 1
        self._key_limit = 6 * max(map(len, keys)) + 3  # each byte may be written \u00xx; quotes; one to see the excess
        self._mode = _START
        self._part = _KEY
        self._depth = 0
        self._escaped = False
        self._key: bytes | None = None
        self._kept = bytearray()
        self._room = 0
        self._start = 0
        self._base = 0
        self.members: dict[bytes, Member] = {}
        self.end: int | None = None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the document, any number of them."""
        at = 0
        size = len(chunk)
        while at < size and self._mode != _DONE:
            mode = self._mode
            if mode == _NESTED:
                at = self._nested(chunk, at)
            elif mode == _STRING:
                at = self._string(chunk, at)
            elif mode == _ROOT:
                at = self._root(chunk, at)
            elif mode == _SCALAR:
                at = self._scalar(chunk, at)
            else:
                at = self._before(chunk, at)
        self._base += size

    @property
    def kept_bytes(self) -> int:
        """Bytes of the document in memory, those of the finished `members` apart."""
        return len(self._kept)

    def _before(self, chunk: bytes, at: int) -> int:
        at = _end(_SPACE, chunk, at)
        if at < len(chunk):
            self._mode = _ROOT if chunk[at] == 0x7B else _DONE
            self._depth = 1
        return at + 1

    def _root(self, chunk: bytes, at: int) -> int:
        at = _end(_SPACE, chunk, at)
        if at == len(chunk):
            return at
        match chunk[at : at + 1]:
            case b",":
                self._part, self._key = _KEY, None
            case b":":
                if self._part == _COLON:
                    self._part = _VALUE
            case b"}":
                self._mode, self.end = _DONE, self._base + at + 1
            case b"]":
                self._mode = _DONE
            case b'"':
                self._open(_STRING, at)
                self._keep(b'"')
            case b"{" | b"[" as bracket:
                self._open(_NESTED, at)
                self._keep(bracket)
                self._depth = 2
            case _:
                self._open(_SCALAR, at)
                return at
        return at + 1

    def _scalar(self, chunk: bytes, at: int) -> int:
        end = _end(_SCALAR_REST, chunk, at)
        self._keep(chunk[at:end])
        if end < len(chunk):
            self._close(end)
        return end

    def _nested(self, chunk: bytes, at: int) -> int:
        size = len(chunk)
        run = _NESTED_RUN.match
        while at < size and (found := run(chunk, at)) is not None:
            at = found.end()
            if at == size:
                break
            byte = chunk[at]
            at += 1
            if byte == _QUOTE:
                self._mode = _STRING
                break
            self._depth += 1 if byte in b"{[" else -1
            if self._depth == 1:
                self._close(at)
                break
        return at

    def _string(self, chunk: bytes, at: int) -> int:
        if self._escaped:
            self._escaped = False
            self._keep(chunk[at : at + 1])
            return at + 1
        quote = chunk.find(b'"', at)
        piece = chunk[at:] if quote < 0 else chunk[at:quote]
        self._keep(piece)
        odd = (len(piece) - len(piece.rstrip(b"\\"))) % 2 == 1
        if quote < 0:
            self._escaped = odd
            return len(chunk)
        self._keep(b'"')
        if not odd:
            if self._depth > 1:
                self._mode = _NESTED
            else:
                self._close(quote + 1)
        return quote + 1

    def _open(self, mode: int, at: int) -> None:
        self._mode = mode
        self._start = self._base + at
        self._kept.clear()
        reading = self._part == _KEY or (self._part == _VALUE and self._key is not None)
        self._room = 0 if not reading else self._key_limit if self._part == _KEY else self._limit

    def _keep(self, piece: bytes) -> None:
        if self._room > 0 and self._depth == 1:
            self._kept += piece[: self._room]
            self._room = self._room - len(piece)

    def _close(self, at: int) -> None:
        self._mode = _ROOT
        if self._part == _KEY:
            self._key = self._name(bytes(self._kept))
            self._part = _COLON
        elif self._part == _VALUE:
            if self._key is not None:
                self.members[self._key] = Member(self._start, self._base + at, bytes(self._kept))
            self._part = _COMMA

    def _name(self, raw: bytes) -> bytes | None:
        name = raw[1:-1]
        if b"\\" in name and len(raw) < self._key_limit:
            try:
                name = _text(raw).encode()
            except (msgspec.DecodeError, UnicodeError):
                return None
        return name if name in self._keys else None


def _end(pattern: re.Pattern[bytes], chunk: bytes, at: int) -> int:
    found = pattern.match(chunk, at)
    return found.end() if found else at
