"""One oracle for hostile bytes on Chat: events or a wire error, the same for every way to cut them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_wire import chat
from beyond_wire.errors import BodyInvalid, ProviderError, WireError
from beyond_wire.testing.chat_turns import TURNS
from beyond_wire.testing.chunking import byte_by_byte, random_cuts
from beyond_wire.types import ContentBlockStop, MessageStart, StreamEvent, Turn

STREAMS = [turn.stream for turn in TURNS]
WHOLE = [turn.body for turn in TURNS if turn.body is not None]
SPLICES = st.sampled_from(
    [
        b"data: [DONE]\n\n",
        b'"finish_reason":"stop"',
        b'"index":',
        b'"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]',
        b'"choices":[]',
        b'"error":{"message":"x"}',
        b'"x_groq":{"error":1}',
        b'"usage":{"prompt_tokens":',
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
        b'"\\udc00"',
        b"1e999",
        b"9" * 5000,
        b"[" * 2000,
        b"\xff",
        b"null",
        b"true",
    ]
)


@st.composite
def mutated(draw: st.DrawFn, bodies: list[bytes]) -> bytes:
    """Draw a recorded answer with a few bytes cut out, doubled or replaced."""
    body = draw(st.sampled_from(bodies))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 40)))
        body = body[:start] + draw(SPLICES | st.binary(max_size=8) | st.just(body[start:end] * 2)) + body[end:]
    return body


def _run(chunks: list[bytes]) -> tuple[list[StreamEvent], str | None]:
    decoder = chat.decoder()
    events: list[StreamEvent] = []
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
        events += decoder.finish()
    except WireError as fault:
        events += fault.events
        assert decoder.usage.input_tokens >= 0
        return events, fault.code
    return events, None


@settings(max_examples=400)
@given(mutated(STREAMS) | st.binary(max_size=400) | st.lists(SPLICES, max_size=12).map(b"".join), st.integers(0, 9))
def test_streams_of_any_bytes(body: bytes, seed: int) -> None:
    """Whatever the bytes, a decoder gives well-formed events or a wire error, the same for every way to cut them."""
    events, fault = _run([body])
    assert _run(byte_by_byte(body)) == (events, fault)
    for chunks in random_cuts(body, seed=seed, ways=2):
        assert _run(chunks) == (events, fault)
    assert [isinstance(event, MessageStart) for event in events] == [at == 0 for at in range(len(events))]
    stopped = [event.index for event in events if isinstance(event, ContentBlockStop)]
    opened = {index for event in events if (index := getattr(event, "index", None)) is not None}
    assert len(set(stopped)) == len(stopped)
    assert opened == set(range(len(opened)))
    assert fault is not None or set(stopped) == opened


@settings(max_examples=400)
@given(mutated(WHOLE) | st.binary(max_size=400) | st.lists(SPLICES, max_size=12).map(b"".join))
def test_bodies_of_any_bytes(body: bytes) -> None:
    """Whatever the bytes, a body is a turn or a wire error."""
    try:
        turn = chat.decode_body(body)
    except (ProviderError, BodyInvalid):
        return
    assert isinstance(turn, Turn)
