"""What a client makes of the bytes it got: its responses in order, and which of them are whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from beyond_gateway.framing import ChunkedReader
from fuzz import oracle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fuzz.moves import Ask

_STATUS = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2})")


class Response(NamedTuple):
    """One final response. `whole` is None where only the end of the connection can tell."""

    status: int
    fields: list[tuple[bytes, bytes]]
    payload: bytes
    whole: bool | None

    def field(self, name: bytes) -> bytes | None:
        """Return the value of a field that stands there once, None for none."""
        values = [value for key, value in self.fields if key == name]
        assert len(values) <= 1, f"{name!r} is repeated"
        return values[0] if values else None


def responses(data: bytes, asks: Iterable[Ask]) -> list[Response]:
    """Read all that a client got for `asks`, in order; what is no response, or one that nobody asked for, fails."""
    found: list[Response] = []
    at = 0
    waiting = iter(asks)
    while at < len(data):
        end = data.find(b"\r\n\r\n", at) + 4
        head = data[at:end]
        assert end > 3, f"half a head: {data[at:]!r}"
        assert oracle.is_response_head(head), head
        status = _STATUS.match(head)
        assert status is not None
        at = end
        if int(status[1]) < 200:
            continue
        asked = next(waiting, None)
        assert asked is not None, f"nobody asked for {head!r}"
        response = _body(int(status[1]), oracle.fields(head), data[at:], asked)
        found.append(response[0])
        at += response[1]
    return found


def _body(status: int, fields: list[tuple[bytes, bytes]], data: bytes, asked: Ask) -> tuple[Response, int]:
    """Read a body off the front of `data`; return the response and the length of its body as sent."""
    names = dict(fields)
    if asked.method == b"HEAD" or status in (204, 304):
        # Where a head never came whole nobody knows that it was HEAD; nothing follows that answer.
        return Response(status, fields, b"", whole=True), len(data) if names.get(b"connection") == b"close" else 0
    if b"transfer-encoding" in names:
        assert asked.minor, "chunks for an old client"
        chunks = oracle.chunked(data)
        if chunks is not None:
            return Response(status, fields, chunks.payload, whole=True), chunks.stop
        payload: list[bytes] = []
        ChunkedReader().feed(data, 0, payload)
        return Response(status, fields, b"".join(payload), whole=False), len(data)
    if b"content-length" in names:
        size = int(names[b"content-length"])
        return Response(status, fields, data[:size], whole=size <= len(data)), min(size, len(data))
    return Response(status, fields, data, whole=None), len(data)
