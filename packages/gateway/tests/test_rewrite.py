"""Response bodies that do not pass as they came."""

from __future__ import annotations

import itertools
from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beyond_gateway.framing import BodyReader, ChunkedReader, CloseReader, LengthReader, chunk
from beyond_gateway.head_rules import CHUNKED, UNTIL_CLOSE, ResponseHead
from beyond_gateway.redact import PoolKeyScrub
from beyond_gateway.rewrite import Edit, Rewriter, plan_response
from beyond_gateway.usage_event_filter import UsageEventFilter

CHUNKED_LINE = b"transfer-encoding: chunked\r\n"
EVENT = b'data: {"choices":[{"delta":{}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'
KEY = b"sk-pool-1"


def reader_of(length: int) -> BodyReader:
    if length == CHUNKED:
        return ChunkedReader()
    return CloseReader() if length == UNTIL_CLOSE else LengthReader(length)


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("edited", ["", "scrub", "filter"])
@pytest.mark.parametrize("length", [7, 0, CHUNKED, UNTIL_CLOSE])
def test_the_framing_of_every_kind_of_response(minor: int, edited: str, length: int) -> None:
    """The provider's framing wherever client and edit can keep it; else chunks, or the close for HTTP/1.0."""
    head = ResponseHead(b"200 OK", 1, {}, b"")
    head.length = length
    edit: Edit | None = {"": None, "scrub": PoolKeyScrub(KEY), "filter": UsageEventFilter()}[edited]
    plan = plan_response(minor, head, reader_of(length), edit)
    keeps = length == 0 or (length > 0 and edited != "filter") or (length == CHUNKED and not edited and minor)
    closes = not keeps and not minor
    assert plan.ends_with_close is closes
    assert plan.framing == (None if keeps else b"" if closes else CHUNKED_LINE)
    assert (plan.rewriter is None) is bool(length == 0 or (keeps and not edited))


def test_no_content_loses_its_framing_fields() -> None:
    """204 must not declare a length (RFC 9110 section 8.6); 304 may."""
    for status, framing in ((b"204 No", b""), (b"304 Not", None)):
        assert plan_response(1, ResponseHead(status, 1, {}, b""), LengthReader(0), None).framing == framing


def rewritten(body: bytes, cuts: list[int], edit: Edit | None, length: int, *, chunks: bool) -> bytes:
    reader = reader_of(length)
    rewriter = Rewriter(reader, edit, chunked=chunks)
    edges = [0, *sorted({place % len(body) for place in cuts} - {0}), len(body)]
    out = b""
    for start, stop in itertools.pairwise(edges):
        payload: list[bytes] = []
        piece = body[start:stop]
        assert reader.feed(piece, 0, payload) == len(piece)
        raw = piece[: reader.raw_end] if isinstance(reader, ChunkedReader) and not reader.done else piece
        out += rewriter.feed(raw, payload)
    if length == UNTIL_CLOSE:
        reader.done = True
        out += rewriter.feed(b"", [])
    return out


def unchunked(data: bytes) -> bytes:
    reader = ChunkedReader()
    payload: list[bytes] = []
    assert reader.feed(data, 0, payload) == len(data)
    assert reader.done
    return b"".join(payload)


places = st.lists(st.integers(0, 10_000), max_size=10)
streams = st.lists(st.sampled_from([EVENT, USAGE, b": ping\n\n", EVENT + USAGE, EVENT[:9]]), min_size=1, max_size=6)


@example(events=[EVENT[:9], EVENT], cuts=[], chunks=True, aligned=True)
@given(events=streams, cuts=places, chunks=st.booleans(), aligned=st.booleans())
def test_a_filtered_stream_is_the_filter_of_its_payload(
    events: list[bytes], cuts: list[int], *, chunks: bool, aligned: bool
) -> None:
    """Whatever the chunks and reads, the client's payload is the filtered payload, in framing that ends once."""
    whole = UsageEventFilter()
    wanted = whole.feed(b"".join(events))
    wanted += whole.finish()
    body = b"".join(map(chunk, events)) + b"0\r\n\r\n"
    if aligned:
        cuts = list(accumulate(len(chunk(event)) for event in events))
    out = rewritten(body, cuts, UsageEventFilter(), CHUNKED, chunks=chunks)
    assert (unchunked(out) if chunks else out) == wanted


@given(cuts=places, length=st.sampled_from([CHUNKED, UNTIL_CLOSE, 60]), chunks=st.booleans())
def test_a_pool_key_never_leaves_in_any_pieces(cuts: list[int], length: int, *, chunks: bool) -> None:
    """The key is overwritten also where a read or a chunk cuts it."""
    text = (b"x" * 10 + KEY + b"y" * 20 + KEY * 2)[:60].ljust(60, b"z")
    body = chunk(text[:15]) + chunk(text[15:]) + b"0\r\n\r\n" if length == CHUNKED else text
    out = rewritten(body, cuts, PoolKeyScrub(KEY), length, chunks=chunks)
    assert (unchunked(out) if chunks else out) == text.replace(KEY, b"*" * len(KEY))


@given(cuts=places, chunks=st.booleans())
def test_a_body_until_close_is_framed_anew(cuts: list[int], *, chunks: bool) -> None:
    """Without an edit the payload is the body, chunked or not."""
    out = rewritten(EVENT * 3, cuts, None, UNTIL_CLOSE, chunks=chunks)
    assert (unchunked(out) if chunks else out) == EVENT * 3


def test_whole_chunks_that_nothing_hides_pass_as_they_came() -> None:
    """An untouched event keeps the provider's own bytes, chunk extensions and all."""
    reader = ChunkedReader()
    rewriter = Rewriter(reader, UsageEventFilter(), chunked=True)
    raw = b"%x;a=b\r\n%b\r\n" % (len(EVENT), EVENT)
    payload: list[bytes] = []
    reader.feed(raw, 0, payload)
    assert rewriter.feed(raw, payload) is raw
