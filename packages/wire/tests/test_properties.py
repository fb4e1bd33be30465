"""One oracle for hostile bytes: framing raises only wire errors, metering raises nothing."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_wire import (
    DeltaCounter,
    SseParser,
    UsageFacts,
    WireError,
    error_in_tail,
    model_from_body,
    model_from_head,
    prompt_text_bytes,
    usage_from_body,
    usage_from_tail,
)
from beyond_wire.testing.streams import STREAMS
from beyond_wire.usage import MAX_COUNT

SHORT = [stream.body for stream in STREAMS if 0 < len(stream.body) < 4096]
SPLICES = st.sampled_from(
    [
        b'"usage":{"prompt_tokens":',
        b'"usage"',
        b'{"',
        b"}",
        b"[[[[",
        b"\\",
        b'"',
        b"\n\n",
        b"\r",
        b"data: ",
        b"event: error\n",
        b'"type":[],',
        b'"model":"\\udc00"',
        b"1e999",
        b"9" * 5000,
        b"[" * 2000,
        b"\xff",
        b"null",
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a recorded answer with a few bytes cut out, doubled or replaced."""
    body = draw(st.sampled_from(SHORT))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 40)))
        body = body[:start] + draw(SPLICES | st.binary(max_size=8) | st.just(body[start:end] * 2)) + body[end:]
    return body


HOSTILE = st.binary(max_size=400) | mutated() | st.lists(SPLICES, max_size=12).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(HOSTILE, st.integers(0, 200))
def test_metering_raises_nothing(body: bytes, head_bytes: int) -> None:
    """Whatever the bytes, usage readers return facts with believable counts or None, and counters count."""
    for dialect in ("openai", "anthropic"):
        for facts in (
            usage_from_tail(dialect, body, body[:head_bytes]),
            usage_from_tail(dialect, body[head_bytes:], body[:head_bytes]),
            usage_from_body(dialect, body),
            usage_from_body(dialect, body, truncated=True),
        ):
            _check(facts, dialect)
        counter = DeltaCounter(dialect)
        counter.feed(body[:head_bytes])
        counter.feed(body[head_bytes:])
        assert 0 <= counter.text_bytes <= len(body)
    assert isinstance(error_in_tail(body), bool)
    for model in (model_from_head(body), model_from_body(body)):
        assert model is None or 0 < len(model.encode()) <= 256
    assert 0 <= prompt_text_bytes(body) <= len(body)


def _check(facts: UsageFacts | None, dialect: str) -> None:
    if facts is None:
        return
    counts = [getattr(facts, name) for name in UsageFacts.__struct_fields__ if name != "wire"]
    assert facts.wire == dialect
    assert any(count is not None for count in counts)
    assert all(count is None or (type(count) is int and 0 <= count <= 2 * MAX_COUNT) for count in counts)


@settings(max_examples=200, deadline=None)
@given(st.lists(HOSTILE, max_size=6))
def test_framing_raises_only_wire_errors(chunks: list[bytes]) -> None:
    """Whatever the bytes, the parser gives events or a wire error."""
    parser = SseParser(max_bytes=2000)
    for chunk in chunks:
        try:
            events = parser.feed(chunk)
        except WireError as fault:
            events = list(fault.events)
        assert all(len(event.data.encode()) <= 2000 for event in events)
    with contextlib.suppress(WireError):
        parser.finish()
