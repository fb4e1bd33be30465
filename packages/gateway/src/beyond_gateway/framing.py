"""How long a body is, and where it ends, without touching its bytes.

Framing is passed through wherever both sides can take it: the readers here find the end of a body and show its payload
to whoever looks on, while the raw bytes go to the other side as they came. A chunked body is checked strictly (RFC 9112
section 7.1), because a size line that two parsers read differently is how requests are smuggled.

Both readers have one surface: `feed(data, start, payload)` appends the payload slices found in `data[start:]` to
`payload` and returns the position behind the last byte that belongs to the body; `done` tells whether it has ended.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_LINE_BYTES: Final = 4096
"""Longest chunk-size line with its extensions; the same cap that other servers put on a line."""
TRAILER_BYTES: Final = 16 * 1024
"""Longest trailer section, a quarter of the head's cap."""

_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_BARE_LINE_END: Final = re.compile(rb"\r(?!\n|\Z)|(?<!\r)\n")
_TRAILERS: Final = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*")

_SIZE, _DATA, _TRAILER = range(3)


class FramingError(ValueError):
    """The peer's body framing is not HTTP; the text names what is wrong and quotes none of it."""


class LengthReader:
    """A body of a declared number of bytes."""

    __slots__ = ("done", "left")

    def __init__(self, length: int) -> None:
        self.left = length
        self.done = length == 0

    def feed(self, data: bytes, start: int, payload: list[bytes]) -> int:
        """Take what belongs to the body. Raises nothing."""
        size = len(data) - start
        if size >= self.left:
            size = self.left
            self.done = True
        self.left -= size
        if size:
            payload.append(data if size == len(data) else data[start : start + size])
        return start + size


class CloseReader:
    """A response body that ends when the connection does (RFC 9112 section 6.3, rule 8)."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes, start: int, payload: list[bytes]) -> int:
        """Take everything. Raises nothing."""
        payload.append(data[start:] if start else data)
        return len(data)


class ChunkedReader:
    """A chunked body. `trailers` holds the validated trailer lines once `done`, empty in nearly every body.

    The bytes up to and including the last-chunk line may be passed on raw (`raw_end` after each feed is where those
    stop); the trailer section and the final CRLF are held, so that whoever relays decides whether trailers go on.
    """

    __slots__ = ("_held", "_left", "_state", "done", "raw_end", "trailers")

    def __init__(self) -> None:
        self._state = _SIZE
        self._left = 0
        self._held = b""
        self.done = False
        self.raw_end = 0
        self.trailers = b""

    @property
    def between_chunks(self) -> bool:
        """Whether no chunk is open: bytes of our own framing may stand here."""
        return self._state == _SIZE and not self._held

    def feed(self, data: bytes, start: int, payload: list[bytes]) -> int:
        """Take what belongs to the body. Raises FramingError when it is not chunked coding."""
        pos = start
        end = len(data)
        if self._state == _SIZE and not self._held:
            # Nearly every read of a stream is one whole chunk: an event, sent as it was made.
            line = _SIZE_LINE.match(data, start)
            if line is not None:
                pos = line.end()
                size = int(line[1], 16)
                if size and pos + size + 2 == end and pos - start <= CHUNK_LINE_BYTES and data.endswith(b"\r\n"):
                    payload.append(data[pos:-2])
                    self.raw_end = end
                    return end
                pos = start
        self.raw_end = start
        while pos < end:
            if self._state == _DATA:
                pos = self._data(data, pos, end, payload)
            elif self._state == _SIZE:
                pos = self._size_line(data, pos, end)
            else:
                return self._trailer(data, pos)
            self.raw_end = pos
        return end

    def _data(self, data: bytes, pos: int, end: int, payload: list[bytes]) -> int:
        # _left counts the chunk's bytes and the CRLF behind them, so that one number says what is still to come.
        left = self._left
        if left > 2:
            stop = min(pos + left - 2, end)
            payload.append(data[pos:stop])
            left -= stop - pos
            pos = stop
        while left <= 2 and pos < end:
            if data[pos] != (13 if left == 2 else 10):
                raise FramingError("chunk data is not followed by CRLF")
            pos += 1
            left -= 1
            if not left:
                self._state = _SIZE
                break
        self._left = left
        return pos

    def _size_line(self, data: bytes, pos: int, end: int) -> int:
        if self._held:
            line_end = data.find(b"\n", pos) + 1 or end
            self._held += data[pos:line_end]
            match = _SIZE_LINE.fullmatch(self._held)
            next_pos = line_end
            complete = self._held.endswith(b"\n")
            seen = self._held
        else:
            match = _SIZE_LINE.match(data, pos)
            complete = match is not None or data.find(b"\n", pos) >= 0
            next_pos = match.end() if match else end
            seen = b"" if match else data[pos:]
        if match is None:
            if complete or len(seen) > CHUNK_LINE_BYTES or not _may_become_size_line(seen):
                raise FramingError("bad chunk size line")
            self._held = seen
            return end
        if next_pos - pos > CHUNK_LINE_BYTES:
            raise FramingError("bad chunk size line")
        self._held = b""
        size = int(match[1], 16)
        self._left = size + 2
        self._state = _DATA if size else _TRAILER
        return next_pos

    def _trailer(self, data: bytes, pos: int) -> int:
        held = self._held + data[pos:]
        if held.startswith(b"\r\n"):
            stop = 2
        else:
            found = held.find(b"\r\n\r\n")
            if found < 0:
                if len(held) > TRAILER_BYTES or _BARE_LINE_END.search(held):
                    raise FramingError("bad trailer section")
                self._held = held
                return len(data)
            stop = found + 4
            self.trailers = held[: stop - 2]
            if stop > TRAILER_BYTES or not _TRAILERS.fullmatch(self.trailers):
                raise FramingError("bad trailer section")
        self.done = True
        self._held = b""
        return len(data) - (len(held) - stop)


_SIZE_PREFIX: Final = re.compile(rb"[0-9A-Fa-f]{1,15}(?:[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?)?\r?")


def _may_become_size_line(seen: bytes) -> bool:
    return _SIZE_PREFIX.fullmatch(seen) is not None


BodyReader = LengthReader | ChunkedReader | CloseReader


def chunk(payload: bytes) -> bytes:
    """Return `payload` as one chunk; empty payload gives empty bytes, because an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""


def passed_on(reader: BodyReader, data: bytes, start: int, stop: int, trailers: Callable[[bytes], bytes]) -> bytes:
    """Return the bytes to send on for `data[start:stop]`, which `reader` has just taken, in the framing it came in.

    `trailers` returns those trailer lines that go on: they must not smuggle what no head field may carry.
    """
    if not isinstance(reader, ChunkedReader):
        return data if stop - start == len(data) else data[start:stop]
    if not reader.done:
        return data[start : reader.raw_end]
    if not reader.trailers and stop - reader.raw_end == 2:
        return data if stop - start == len(data) else data[start:stop]
    return data[start : reader.raw_end] + (trailers(reader.trailers) if reader.trailers else b"") + b"\r\n"
