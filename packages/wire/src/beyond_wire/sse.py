"""Incremental framing of server-sent events: chunks of bytes in, whole events out."""

from __future__ import annotations

import msgspec

from beyond_wire.errors import SseBadUtf8, SseLineTooLong, WireError

MAX_EVENT_BYTES = 32 * 1024 * 1024
"""Bound on a line, and on the name and joined data of one event, in bytes (wire contract, SSE framing)."""

_CR = 0x0D  # as a number: `in` with a bytes operand raises and clears an exception first, ten times the cost
_BOM = b"\xef\xbb\xbf"
_NEVER = "\n\n"  # no event begins with a blank line
_KEPT_FIELDS = (b"data:", b"event:")
_SHORTEST_KNOWN = len(b"event:")  # so many bytes tell whether a line is one of those
_FIELD_BYTES = len(b"event: \n")  # what an unfinished line may hold besides its value


class SseEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One dispatched event: its name, empty when the stream gave none, and its data lines joined with LF."""

    event: str = ""
    data: str


class SseParser:
    r"""Events of one stream, the same for every way to cut its bytes into chunks.

    Line ends are LF, CRLF or CR, mixed at will, and nothing else: U+2028 inside data stays data. To split text at line
    ends after decoding it would break on those, and to decode chunk by chunk would break inside a character. So bytes
    are cut first and each event's data is decoded once, whole. CR and CRLF become LF as a chunk arrives; a CR that ends
    a chunk already ends its line, and an LF that opens the next chunk is then dropped.

    Most chunks hold whole events of one data line. Those are cut at blank lines in one split and never meet the line
    loop. Everything else goes line by line. An unfinished line grows in one bytearray that is searched only where it is
    new, so cost is linear in bytes however small the chunks are.

    Memory: the bytes of one event that are kept (its data, its name, its unfinished line) stay below the bound. A long
    line that can only be ignored, such as a comment, is counted but not kept.
    """

    __slots__ = ("_data", "_event", "_fault", "_finished", "_line", "_line_bytes", "_max_bytes", "_skip_lf", "_started")

    def __init__(self, *, max_bytes: int = MAX_EVENT_BYTES) -> None:
        """`max_bytes` bounds a line and the joined data of one event."""
        self._max_bytes = max_bytes
        self._line = bytearray()
        self._line_bytes = 0
        self._data = bytearray()
        self._event = b""
        self._skip_lf = False
        self._started = False
        self._finished = False
        self._fault: WireError | None = None

    def __repr__(self) -> str:
        return f"<SseParser line={self._line_bytes}B data={len(self._data)}B finished={self._finished}>"

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Events that `chunk` completes, in order; empty when it completes none.

        Raises `SseLineTooLong` or `SseBadUtf8`, whose `.events` are those completed before the fault; the stream is
        over then, and further calls raise the same fault without events. `RuntimeError` after `finish`: a caller's bug.
        """
        if self._finished:
            raise RuntimeError("feed() after finish()")
        if self._fault is not None:
            raise type(self._fault)(str(self._fault))
        events: list[SseEvent] = []
        try:
            self._take(chunk, events)
        except WireError as fault:
            self._fail(fault, events)
            raise
        return events

    def finish(self) -> list[SseEvent]:
        """Return the event that the end of the body dispatches: providers leave out the last blank line.

        Raises as `feed` does. Empty after a fault, which has been raised already, and when called again.
        """
        if self._finished or self._fault is not None:
            self._finished = True
            return []
        self._finished = True
        events: list[SseEvent] = []
        try:
            self._end_line(b"", events)
            self._dispatch(events)
        except WireError as fault:
            self._fail(fault, events)
            raise
        return events

    def _fail(self, fault: WireError, events: list[SseEvent]) -> None:
        fault.events = tuple(events)
        self._fault = fault
        self._line.clear()
        self._data.clear()

    def _take(self, chunk: bytes, events: list[SseEvent]) -> None:
        if not self._started:
            chunk = self._without_bom(chunk)
        if not chunk:
            return
        if self._skip_lf and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._skip_lf = False
        if _CR in chunk:
            self._skip_lf = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        start = 0
        if self._line_bytes:
            start = chunk.find(b"\n") + 1
            if not start:
                self._hold(chunk)
                return
            self._end_line(chunk[: start - 1], events)
        end = chunk.rfind(b"\n") + 1
        if end > start:
            self._whole_lines(chunk[start:end], events)
        self._hold(chunk[max(start, end) :])

    def _without_bom(self, chunk: bytes) -> bytes:
        """`chunk` with what was held back before it, less one BOM; empty while the first bytes may still be one."""
        opening = bytes(self._line) + chunk
        self._line.clear()
        if len(opening) < len(_BOM) and _BOM.startswith(opening):
            self._line += opening
            return b""
        self._started = True
        return opening.removeprefix(_BOM)

    def _hold(self, piece: bytes) -> None:
        """Keep the unfinished line, or only its length once it is known to be of no interest."""
        if not piece:
            return
        self._line_bytes += len(piece)
        if len(self._line) < _SHORTEST_KNOWN or self._line.startswith(_KEPT_FIELDS):
            self._line += piece
        size = self._line_bytes
        if self._line.startswith(b"data:"):
            size += len(self._data) + len(self._event) - _FIELD_BYTES
        elif self._line.startswith(b"event:"):
            size += len(self._data) - _FIELD_BYTES
        elif len(self._line) >= _SHORTEST_KNOWN:
            del self._line[_SHORTEST_KNOWN:]
        self._check(max(size, self._line_bytes))

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise SseLineTooLong(f"SSE line or event above {self._max_bytes} bytes")

    def _end_line(self, rest: bytes, events: list[SseEvent]) -> None:
        self._check(self._line_bytes + len(rest))
        line = bytes(self._line) + rest
        self._line.clear()
        self._line_bytes = 0
        self._one_line(line, events)

    def _whole_lines(self, block: bytes, events: list[SseEvent]) -> None:
        """Read lines that each end in LF; events of one data line take the short way."""
        if self._data or self._event:
            end = block.find(b"\n\n") + 2
            if block.startswith(b"\n"):
                end = 1
            elif end < 2:
                end = len(block)
            self._each_line(block[:end], events)
            block = block[end:]
        try:
            # A blank line is never inside a character, so one decode serves all events of the block.
            parts = block.decode().split("\n\n") if len(block) <= self._max_bytes else None
        except UnicodeDecodeError:
            parts = None
        if parts is None:
            self._each_line(block, events)
            return
        last = parts.pop()
        name, head, size = "", _NEVER, len(_NEVER)
        append = events.append
        for part in parts:
            # Nearly every event begins as the one before it did.
            if not part.startswith(head):
                name, head, size = _opening(part)
            data = part[size:]
            if "\n" not in data and head is not _NEVER:
                append(SseEvent(event=name, data=data))
            else:
                self._each_line(part.encode() + b"\n\n", events)
        if last:
            self._each_line(last.encode(), events)

    def _each_line(self, block: bytes, events: list[SseEvent]) -> None:
        lines = block.split(b"\n")
        lines.pop()
        for line in lines:
            self._check(len(line))
            self._one_line(line, events)

    def _one_line(self, line: bytes, events: list[SseEvent]) -> None:
        if not line:
            self._dispatch(events)
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data += value
            self._data += b"\n"
        elif field == b"event":
            self._event = value
        self._check(len(self._data) + len(self._event) - 1)

    def _dispatch(self, events: list[SseEvent]) -> None:
        if self._data:
            data = bytes(self._data[:-1])
            self._data.clear()
            events.append(SseEvent(event=self._event.decode(errors="replace"), data=_text(data)))
        self._event = b""


def _opening(part: str) -> tuple[str, str, int]:
    """Name of an event, all that stands before its data, and the length of that: `_NEVER` where lines need a look."""
    if part.startswith("data: "):
        return "", "data: ", 6
    line = part.partition("\n")[0]
    if line.startswith("event: ") and part.startswith("data: ", len(line) + 1):
        head = line + "\ndata: "
        return line[7:], head, len(head)
    return "", _NEVER, len(_NEVER)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        message = f"invalid UTF-8 in SSE stream: {error.reason} at byte {error.start} of the event's data"
        raise SseBadUtf8(message) from error
