"""One oracle for hostile bytes: a Responses stream or body is accepted or a `WireError`, for every way to cut it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_wire import responses
from beyond_wire.accumulate import accumulate
from beyond_wire.errors import BodyInvalid, ProviderError, WireError
from beyond_wire.testing.responses_turns import TURNS
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
        b'"type":"response.completed"',
        b'"type":[],',
        b'"error":{"type":1},',
        b'"output_index":-1,',
        b'"output_index":1e3,',
        b'"usage":{"input_tokens":',
        b"1e999",
        b"9" * 5000,
        b"[" * 3000,
        b"\xff",
        b"\xef\xbb\xbf",
        b"data: [DONE]\n\n",
        b'data: {"type":"response.completed","response":{}}\n\n',
        b'data: {"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","name":""}}\n\n',
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
    decoder = responses.decoder()
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
    # Reasoning that stands outside of the output is added to it.
    assert all(type(count) is int and 0 <= count <= 2 * MAX_COUNT for count in counts)


@settings(max_examples=400)
@given(HOSTILE_STREAMS, st.lists(st.integers(0, 400), max_size=5))
def test_streams_raise_only_wire_errors(stream: bytes, cuts: list[int]) -> None:
    """Whatever the bytes and their cuts, the same events, the same fault and believable usage come out."""
    bounds = [0, *sorted(cuts), len(stream)]
    whole = _run([stream])
    assert _run([stream[start:end] for start, end in pairwise(bounds) if start < end]) == whole
    events, _, usage = whole
    _check(usage)
    assert isinstance(accumulate(events), Turn)


@settings(max_examples=400)
@given(HOSTILE_BODIES)
def test_bodies_raise_only_wire_errors(body: bytes) -> None:
    """Whatever the bytes, a body gives a turn, with the usage that the gateway reads, or one of two wire errors."""
    try:
        turn = responses.decode_body(body)
    except (ProviderError, BodyInvalid):
        return
    _check(turn.usage)
    facts = usage_from_body("openai", body)
    cached = (facts and facts.cache_read_tokens) or 0
    assert turn.usage.input_tokens == max(((facts and facts.input_tokens) or 0) - cached, 0)
    assert turn.usage.output_tokens == ((facts and facts.output_tokens) or 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from(
    [
        "created",
        "in_progress",
        "completed",
        "incomplete",
        "failed",
        "output_item.added",
        "output_item.done",
        "output_text.delta",
        "refusal.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "reasoning_summary_text.delta",
        "reasoning_text.delta",
        "reasoning_summary_part.done",
        "new",
    ]
).map(lambda kind: f"response.{kind}")
PARTS = st.fixed_dictionaries({}, optional={"type": JSON, "text": JSON, "refusal": JSON})
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "function_call", "reasoning", "new"]) | JSON,
        "id": st.text() | JSON,
        "call_id": st.text() | JSON,
        "name": st.text() | JSON,
        "phase": JSON,
        "arguments": st.text() | JSON,
        "content": st.lists(PARTS, max_size=3) | JSON,
        "summary": st.lists(PARTS, max_size=3) | JSON,
    },
)
REPLIES = st.fixed_dictionaries(
    {"output": st.lists(ITEMS, max_size=4)},
    optional={
        "object": st.just("response"),
        "status": st.sampled_from(["completed", "incomplete", "failed"]) | JSON,
        "usage": JSON,
        "error": JSON,
        "incomplete_details": JSON,
    },
)
EVENTS = st.fixed_dictionaries(
    {"type": KINDS | JSON},
    optional={
        "output_index": st.integers(0, 2) | JSON,
        "delta": st.text() | JSON,
        "arguments": st.text() | JSON,
        "item": ITEMS | JSON,
        "response": REPLIES | JSON,
        "usage": JSON,
        "error": JSON,
    },
)


@settings(max_examples=400)
@given(st.lists(EVENTS, max_size=6), REPLIES)
def test_events_of_any_shape_raise_only_wire_errors(events: list[dict[str, Any]], reply: dict[str, Any]) -> None:
    """Events of known kinds and bodies whose fields hold anything are read, skipped or a wire error."""
    import json

    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    decoded, _, usage = _run([stream])
    _check(usage)
    assert isinstance(accumulate(decoded), Turn)
    try:
        turn = responses.decode_body(json.dumps(reply).encode())
    except (ProviderError, BodyInvalid):
        return
    assert msgspec.json.encode(turn)
