"""One oracle for hostile bytes: an Anthropic stream or body is accepted or a `WireError`, for every way to cut it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_wire import anthropic
from beyond_wire.accumulate import accumulate
from beyond_wire.errors import BodyInvalid, ProviderError, WireError
from beyond_wire.testing.anthropic_turns import TURNS
from beyond_wire.types import StreamEvent, TokenUsage, Turn
from beyond_wire.usage import MAX_COUNT, usage_from_body

SPLICES = st.sampled_from(
    [
        b"null",
        b"{}",
        b"[]",
        b'"',
        b"\\",
        b"\\ud800",
        b"\n\n",
        b"\r",
        b"data: ",
        b"event: error\n",
        b'"type":"message_stop"',
        b'"type":[],',
        b'"error":{"type":1},',
        b'"index":-1,',
        b'"index":1e3,',
        b"1e999",
        b"9" * 5000,
        b"[" * 3000,
        b"\xff",
        b"\xef\xbb\xbf",
        b"data: [DONE]\n\n",
        b'data: {"type":"message_stop"}\n\n',
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"","name":""}}\n\n',
    ]
)
STREAMS = [turn.stream for turn in TURNS]
BODIES = [turn.body for turn in TURNS if turn.body is not None]


@st.composite
def mutated(draw: st.DrawFn, sources: list[bytes]) -> bytes:
    """Draw a recorded answer with a few bytes cut out, doubled or replaced."""
    body = draw(st.sampled_from(sources))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 40)))
        body = body[:start] + draw(SPLICES | st.binary(max_size=8) | st.just(body[start:end] * 2)) + body[end:]
    return body


HOSTILE_STREAMS = st.binary(max_size=300) | mutated(STREAMS) | st.lists(SPLICES, max_size=12).map(b"".join)
HOSTILE_BODIES = st.binary(max_size=300) | mutated(BODIES) | st.lists(SPLICES, max_size=12).map(b"".join)


def _run(chunks: list[bytes]) -> tuple[list[StreamEvent], str | None, TokenUsage]:
    decoder = anthropic.decoder()
    events: list[StreamEvent] = []
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
        events += decoder.finish()
    except WireError as fault:
        return [*events, *fault.events], str(fault), decoder.usage
    return events, None, decoder.usage


def _check(usage: TokenUsage) -> None:
    counts = [getattr(usage, name) for name in TokenUsage.__struct_fields__]
    assert all(type(count) is int and 0 <= count <= MAX_COUNT for count in counts)


@settings(max_examples=400, deadline=None)
@given(HOSTILE_STREAMS, st.lists(st.integers(0, 400), max_size=5))
def test_streams_raise_only_wire_errors(stream: bytes, cuts: list[int]) -> None:
    """Whatever the bytes and their cuts, the same events, the same fault and believable usage come out."""
    bounds = [0, *sorted(cuts), len(stream)]
    whole = _run([stream])
    assert _run([stream[start:end] for start, end in pairwise(bounds) if start < end]) == whole
    events, _, usage = whole
    _check(usage)
    assert isinstance(accumulate(events), Turn)


@settings(max_examples=400, deadline=None)
@given(HOSTILE_BODIES)
def test_bodies_raise_only_wire_errors(body: bytes) -> None:
    """Whatever the bytes, a body gives a turn, with the usage that the gateway reads, or one of two wire errors."""
    try:
        turn = anthropic.decode_body(body)
    except (ProviderError, BodyInvalid):
        return
    _check(turn.usage)
    facts: Any = usage_from_body("anthropic", body)
    assert [getattr(turn.usage, name) for name in TokenUsage.__struct_fields__] == [
        (facts is not None and getattr(facts, name)) or 0 for name in TokenUsage.__struct_fields__
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from(
    [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "ping",
        "new",
    ]
)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["text", "thinking", "tool_use", "text_delta", "input_json_delta", "new"]) | JSON,
        "text": JSON,
        "thinking": JSON,
        "partial_json": JSON,
        "input": JSON,
        "id": JSON,
        "usage": JSON,
        "stop_reason": JSON,
        "stop_details": JSON,
    },
)
EVENTS = st.fixed_dictionaries(
    {"type": KINDS | JSON},
    optional={
        "index": st.integers(0, 2) | JSON,
        "delta": PARTS | JSON,
        "content_block": PARTS | JSON,
        "message": PARTS | JSON,
        "usage": JSON,
        "error": JSON,
    },
)


@settings(max_examples=400, deadline=None)
@given(st.lists(EVENTS, max_size=6))
def test_events_of_any_shape_raise_only_wire_errors(events: list[dict[str, Any]]) -> None:
    """Events of known kinds whose fields hold anything are read, skipped or a wire error."""
    import json

    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    decoded, fault, usage = _run([stream])
    assert fault is not None
    _check(usage)
    assert isinstance(accumulate(decoded), Turn)
