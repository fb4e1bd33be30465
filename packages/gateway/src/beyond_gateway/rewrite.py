"""A response body that does not go to the client as it came: edited, or framed anew.

Three reasons: an event is hidden from a client that did not ask for it, a pool key is overwritten in an error body, or
the client's connection cannot take the provider's framing (HTTP/1.0, or a body that ended with the connection).
Where an edit leaves a read untouched and the read holds whole chunks, its raw bytes pass all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from beyond_gateway.framing import BodyReader, ChunkedReader, chunk
from beyond_gateway.head_rules import CHUNKED
from beyond_gateway.headers import framing_field
from beyond_gateway.redact import PoolKeyScrub
from beyond_gateway.usage_event_filter import UsageEventFilter

if TYPE_CHECKING:
    from beyond_gateway.head_rules import RequestHead, ResponseHead

Edit = UsageEventFilter | PoolKeyScrub


class Rewriter:
    """Turns what a provider's body reader took into what the client gets. `chunked` is the client's framing."""

    __slots__ = ("_aligned", "_chunked", "_edit", "_reader")

    def __init__(self, reader: BodyReader, edit: Edit | None, *, chunked: bool) -> None:
        self._reader = reader
        self._edit = edit
        self._chunked = chunked
        self._aligned = chunked and isinstance(reader, ChunkedReader) and isinstance(edit, UsageEventFilter)

    def feed(self, raw: bytes, payload: list[bytes]) -> bytes:
        """Return the bytes for the client: `payload` edited and framed, or `raw` where both are the same."""
        data = payload[0] if len(payload) == 1 else b"".join(payload)
        reader, edit = self._reader, self._edit
        if self._aligned and isinstance(reader, ChunkedReader) and isinstance(edit, UsageEventFilter):
            at_boundary = reader.done or reader.between_chunks
            if at_boundary and edit.clean and data.endswith(b"\n\n") and not edit.may_drop(data):
                return raw
        if edit is not None:
            data = edit.feed(data)
            if reader.done:
                data += edit.finish() if isinstance(edit, UsageEventFilter) else edit.flush()
        self._aligned = self._chunked and isinstance(reader, ChunkedReader) and reader.between_chunks
        if not self._chunked:
            return data
        return chunk(data) + b"0\r\n\r\n" if reader.done else chunk(data)


class ResponsePlan(NamedTuple):
    """How a response body reaches the client.

    Its framing lines, a rewriter where it does not pass as it came, and whether the client can tell the body's end by
    the connection's only.
    """

    framing: bytes
    rewriter: Rewriter | None = None
    ends_with_close: bool = False


def plan_response(request: RequestHead, head: ResponseHead, reader: BodyReader, edit: Edit | None) -> ResponsePlan:
    """Choose the client's framing. The provider's is kept where the client can read it and no edit changes lengths."""
    if reader.done:
        return ResponsePlan(_bodiless_framing(request, head))
    if head.length >= 0 and not isinstance(edit, UsageEventFilter):
        rewriter = Rewriter(reader, edit, chunked=False) if edit is not None else None
        return ResponsePlan(b"content-length: %d\r\n" % head.length, rewriter)
    if not request.minor:
        return ResponsePlan(b"", Rewriter(reader, edit, chunked=False), ends_with_close=True)
    if edit is None and head.length == CHUNKED:
        return ResponsePlan(framing_field(CHUNKED))
    return ResponsePlan(framing_field(CHUNKED), Rewriter(reader, edit, chunked=True))


def _bodiless_framing(request: RequestHead, head: ResponseHead) -> bytes:
    """Framing lines of a response without a body: HEAD and 304 repeat what the body would have been (RFC 9110, 8.6)."""
    if head.status == 204:
        return b""
    if request.method == b"HEAD" or head.status == 304:
        return b"".join(
            b"%b: %b\r\n" % field for field in head.fields if field[0] in (b"content-length", b"transfer-encoding")
        )
    return b"content-length: 0\r\n"
