"""Finding events in the kept bytes of a stream, which may be cut anywhere. Unlike `SseParser` nothing here fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.envelope import Envelope, decode_envelope

if TYPE_CHECKING:
    from collections.abc import Iterator

_USAGE_KEY = b'"usage"'
_CR = 0x0D
_LINE_ENDS = frozenset(b"\r\n")
_BOM = b"\xef\xbb\xbf"


def events_in(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and joined data of each event, in order; text is not decoded and limits are the caller's."""
    for block in _unix_lines(text.removeprefix(_BOM)).split(b"\n\n"):
        name = b""
        data: list[bytes] = []
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" "))
            elif field == b"event":
                name = value.removeprefix(b" ")
        if data:
            yield name, b"\n".join(data)


def newest_with_usage(tail: bytes) -> Iterator[Envelope]:
    """Yield the events of `tail` that mention usage, from its end backwards.

    Nearly every event is one `data:` line, and only the last few matter. So the key is searched from the end, at the
    speed of memory, and just the line around a hit is decoded. The decode tells whether the key stands in a string or
    somewhere else in the object. Where the bytes around a hit are no such line (a multi-line event, a comment, CR line
    ends), all events are framed once and read again; a count seen twice changes nothing.
    """
    at = tail.rfind(_USAGE_KEY)
    while at >= 0:
        if tail.startswith(b":null", at + len(_USAGE_KEY)):
            at = tail.rfind(_USAGE_KEY, 0, at)
            continue
        start = tail.rfind(b"data:", 0, at)
        if start < 0:
            return
        envelope = envelope_at(tail, start, at) if start == 0 or tail[start - 1] in _LINE_ENDS else None
        if envelope is None:
            yield from _framed_newest_first(tail)
            return
        yield envelope
        at = tail.rfind(_USAGE_KEY, 0, start)


def cut_event(tail: bytes) -> bytes:
    """Return what `tail` holds of an event whose beginning lies before it; empty when its first event is whole."""
    text = _unix_lines(tail)
    end = text.find(b"\n")
    while end >= 0 and not text.startswith(b"\n", end + 1):  # one-byte searches are several times faster
        end = text.find(b"\n", end + 1)
    block = text[:end] if end >= 0 else text
    if block.rfind(_USAGE_KEY) < 0:
        return b""
    rest, *lines = block.split(b"\n")
    data = [line[5:] for line in (rest, *lines) if line.startswith(b"data:")]
    if data and decode_envelope(b"\n".join(data)) is not None:
        return b""
    return b"\n".join(data if rest.startswith(b"data:") else [rest, *data])


def envelope_at(text: bytes, start: int, inside: int) -> Envelope | None:
    """Decode the data line that starts at `start` and goes on at least to `inside`."""
    end = text.find(b"\n", inside)
    return decode_envelope(text[start + 5 : end] if end >= 0 else text[start + 5 :])


def _framed_newest_first(tail: bytes) -> Iterator[Envelope]:
    for _, data in reversed(list(events_in(tail))):
        envelope = decode_envelope(data) if data.find(_USAGE_KEY) >= 0 else None
        if envelope is not None:
            yield envelope


def _unix_lines(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if _CR in text else text
