"""What a parser's answer is compared with: the same grammars read once more, slowly and whole.

A parser that works on pieces, in C or with an early exit has its answer judged by a reading that does none of this.
The readings here share no code with the gateway's, and where a format leaves no choice both must agree.
"""

from __future__ import annotations

import json
import re
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_CUTS_AT_MOST = 8
_SINGLE_BYTES_UP_TO = 128

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIELD = _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n"
_REQUEST_HEAD = re.compile(_TOKEN + rb" [!-~]+ HTTP/1\.[01]\r\n(?:" + _FIELD + rb")*\r\n")
_RESPONSE_HEAD = re.compile(rb"HTTP/1\.[01] [1-9][0-9]{2}(?: [\t\x20-\x7e\x80-\xff]*)?\r\n(?:" + _FIELD + rb")*\r\n")


class Pieces(NamedTuple):
    """An input without its cuts, and the ways in which its bytes may arrive: at once, as drawn, one by one."""

    whole: bytes
    ways: list[list[bytes]]


def pieces(data: bytes) -> Pieces:
    """Take the cuts off the front of an input: their number, then two bytes for each."""
    number = data[0] % _CUTS_AT_MOST if data else 0
    places, whole = data[1 : 1 + 2 * number], data[1 + 2 * number :]
    cuts = {int.from_bytes(places[at : at + 2], "little") % (len(whole) + 1) for at in range(0, len(places), 2)}
    edges = [0, *sorted(cuts), len(whole)]
    ways = [[whole], [whole[start:stop] for start, stop in pairwise(edges)]]
    if len(whole) <= _SINGLE_BYTES_UP_TO:
        ways.append([whole[at : at + 1] for at in range(len(whole))])
    return Pieces(whole, ways)


T = TypeVar("T")


def one_answer(subject: Pieces, read: Callable[[list[bytes]], T]) -> T:
    """Return what `read` makes of an input, which must not depend on how it was cut."""
    whole, *others = [read(way) for way in subject.ways]
    for other in others:
        assert other == whole, f"cut: {other!r} whole: {whole!r}"
    return whole


# -- HTTP


def is_request_head(head: bytes) -> bool:
    """Whether `head` has the one reading that RFC 9112 allows, nothing folded, nothing repeated that frames."""
    return _REQUEST_HEAD.fullmatch(head) is not None and _framed_once(head)


def is_response_head(head: bytes) -> bool:
    return _RESPONSE_HEAD.fullmatch(head) is not None and _framed_once(head)


def fields(head: bytes) -> list[tuple[bytes, bytes]]:
    """Lower-case name and value of every field line of a well-formed head."""
    pairs = [line.split(b":", 1) for line in head.split(b"\r\n")[1:] if line]
    return [(name.lower(), value.strip(b" \t")) for name, value in pairs]


def _framed_once(head: bytes) -> bool:
    names = [name for name, _ in fields(head)]
    return names.count(b"content-length") + names.count(b"transfer-encoding") <= 1


class Chunks(NamedTuple):
    """A whole chunked body: what it carries, its trailer lines, and where it ends."""

    payload: bytes
    trailers: bytes
    stop: int


def chunked(data: bytes) -> Chunks | None:
    """Read a chunked body off the front of `data` (RFC 9112 section 7.1); None where there is no whole one."""
    payload = b""
    at = 0
    while True:
        line, end, _ = data[at:].partition(b"\r\n")
        size, semicolon, extension = line.partition(b";")
        digits = size.rstrip(b" \t") if semicolon else size
        if not end or not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", digits) or _has_control(extension):
            return None
        at += len(line) + 2
        length = int(digits, 16)
        if not length:
            return _trailers(data, at, payload)
        if data[at + length : at + length + 2] != b"\r\n":
            return None
        payload += data[at : at + length]
        at += length + 2


def _trailers(data: bytes, at: int, payload: bytes) -> Chunks | None:
    lines = b""
    while True:
        line, end, _ = data[at:].partition(b"\r\n")
        at += len(line) + 2
        if not end:
            return None
        if not line:
            return Chunks(payload, lines, at)
        if not re.fullmatch(_FIELD, line + b"\r\n"):
            return None
        lines += line + b"\r\n"


def _has_control(text: bytes) -> bool:
    return re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", text) is not None


def inflated(data: bytes, bits: int) -> bytes | None:
    """Decode one compressed body, in `zlib`'s window bits; None for what is broken, unfinished or has bytes behind."""
    decoder = zlib.decompressobj(bits)
    try:
        out = decoder.decompress(data)
    except zlib.error:
        return None
    return out if decoder.eof and not decoder.unused_data else None


# -- server-sent events


def events(stream: bytes) -> list[tuple[str, bytes]]:
    """Name and data of every event of a stream, as the HTML standard interprets it; data is not decoded."""
    found: list[tuple[str, bytes]] = []
    name, data = b"", b""
    lines = re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf"))
    for line in (*lines, b""):
        if not line:
            if data:
                found.append((name.decode(errors="replace"), data[:-1]))
            name, data = b"", b""
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data += value + b"\n"
        elif field == b"event":
            name = value
    return found


# -- JSON

Json: TypeAlias = Any
_decode = json.JSONDecoder(parse_constant=str).decode  # NaN as a text, so that equal documents are equal


class NotJson:
    """What `json_value` gives for bytes that the standard library's parser refuses."""


def json_value(data: bytes) -> Json | type[NotJson]:
    """Decode a JSON text as most providers' parsers do: of duplicate keys the last wins, bad UTF-8 is no fault."""
    try:
        return _decode(data.decode(errors="replace"))
    except (ValueError, RecursionError):
        return NotJson
