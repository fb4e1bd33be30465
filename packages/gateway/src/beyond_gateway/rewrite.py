"""A response body that does not go to the client as it came: edited, or framed anew.

Three reasons: an event is hidden from a client that did not ask for it, a pool key is overwritten in an error body, or
the client's connection cannot take the provider's framing (HTTP/1.0, or a body that ended with the connection).
Where an edit leaves a read untouched and the read holds whole chunks, its raw bytes pass all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from beyond_gateway.error_body import CompressedErrorScrub
from beyond_gateway.framing import BodyReader, ChunkedReader, chunk
from beyond_gateway.head_rules import CHUNKED
from beyond_gateway.redact import PoolKeyScrub
from beyond_gateway.usage_event_filter import UsageEventFilter

if TYPE_CHECKING:
    from beyond_gateway.head_rules import ResponseHead

Edit = UsageEventFilter | PoolKeyScrub | CompressedErrorScrub


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
                data += edit.finish()
        self._aligned = self._chunked and isinstance(reader, ChunkedReader) and reader.between_chunks
        if not self._chunked:
            return data
        return chunk(data) + b"0\r\n\r\n" if reader.done else chunk(data)


def edit_of(head: ResponseHead, encoding: str, pool_key: bytes, *, hides_usage: bool) -> Edit | None:
    """Return what must be done to the body of a managed response, None for nothing; may take a field out of `head`.

    `encoding` is its content coding, `hides_usage` whether the client had not asked for the usage event of its stream.
    """
    plain = encoding in ("", "identity")
    if head.status >= 400:
        if plain:
            return PoolKeyScrub(pool_key)
        head.drop(b"content-encoding")
        return CompressedErrorScrub(encoding, pool_key)
    return UsageEventFilter() if hides_usage and plain and head.is_stream else None


class ResponsePlan(NamedTuple):
    """How a response body reaches the client.

    `framing` is its framing line, None for the provider's own; then a rewriter where the body does not pass as it came,
    and whether the client can tell the body's end by the connection's only.
    """

    framing: bytes | None = None
    rewriter: Rewriter | None = None
    ends_with_close: bool = False


_AS_IT_CAME = ResponsePlan()
_CHUNKED = b"transfer-encoding: chunked\r\n"


def plan_response(minor: int, head: ResponseHead, reader: BodyReader, edit: Edit | None) -> ResponsePlan:
    """Choose the framing for a client of HTTP/1.`minor`: the provider's where it can read that and no length changes.

    A response without a body keeps its framing fields too: to HEAD and 304 they tell what the body would have been
    (RFC 9110 section 8.6).
    """
    if reader.done:
        return ResponsePlan(b"") if head.status == 204 else _AS_IT_CAME
    if head.length >= 0 and not isinstance(edit, UsageEventFilter | CompressedErrorScrub):
        return _AS_IT_CAME if edit is None else ResponsePlan(None, Rewriter(reader, edit, chunked=False))
    if not minor:
        return ResponsePlan(b"", Rewriter(reader, edit, chunked=False), ends_with_close=True)
    if edit is None and head.length == CHUNKED:
        return _AS_IT_CAME
    return ResponsePlan(_CHUNKED, Rewriter(reader, edit, chunked=True))
