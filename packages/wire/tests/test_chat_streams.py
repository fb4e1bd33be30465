"""Chat streams: each recorded answer gives exactly its events, however its bytes are cut and wherever it ends."""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING

import pytest

from beyond_wire import chat
from beyond_wire.accumulate import accumulate
from beyond_wire.errors import ProviderError, StreamTruncated, WireError
from beyond_wire.sse import SseParser
from beyond_wire.tails import usage_from_tail
from beyond_wire.testing.chat_streams import CHAT_STREAMS
from beyond_wire.testing.chat_turn_parts import HELLO, OPEN, chunk, opening, piece, stop
from beyond_wire.testing.chat_turns import TURNS
from beyond_wire.testing.chunking import byte_by_byte, every_way
from beyond_wire.testing.fixture import sse
from beyond_wire.testing.streams import STREAMS, Stream
from beyond_wire.types import (
    ContentBlockStop,
    MessageStart,
    MessageStop,
    StreamEvent,
    TextBlock,
    TextDelta,
    ThinkingBlock,
    TokenUsage,
    ToolUseBlock,
    UsageEvent,
)

if TYPE_CHECKING:
    from beyond_wire import UsageFacts
    from beyond_wire.testing.anthropic_turn_parts import RecordedTurn

CLEAN = [turn for turn in TURNS if turn.fault is None]
FAULTY = [turn for turn in TURNS if turn.fault is not None]
WITH_DONE = [turn for turn in CLEAN if turn.stream.endswith(b"data: [DONE]\n\n")]


def counts(facts: UsageFacts | None) -> TokenUsage:
    """The facts that the gateway bills as the counts of a turn."""
    return TokenUsage() if facts is None else facts.to_token_usage()


def _name(turn: RecordedTurn | Stream) -> str:
    return turn.name


def _run(chunks: list[bytes]) -> tuple[list[StreamEvent], WireError | None, TokenUsage]:
    """Events of the chunks, those of a fault included; the fault; the usage known at the end."""
    decoder = chat.decoder()
    events: list[StreamEvent] = []
    try:
        for bytes_ in chunks:
            events += decoder.feed(bytes_)
        events += decoder.finish()
    except WireError as fault:
        events += fault.events
        return events, fault, decoder.usage
    return events, None, decoder.usage


def _frames(stream: bytes) -> list[bytes]:
    return [frame + b"\n\n" for frame in stream.split(b"\n\n") if frame]


def test_table_is_wide() -> None:
    """The table holds at least 25 streams under different names, with bodies, faults and every stop reason."""
    assert len({turn.name for turn in TURNS}) == len(TURNS) >= 60
    assert len([turn for turn in TURNS if turn.body is not None]) >= 30
    stops = {event.stop_reason for turn in CLEAN for event in turn.events if isinstance(event, MessageStop)}
    assert stops == {"end_turn", "tool_use", "max_tokens", "refusal", "other"}


@pytest.mark.parametrize("turn", TURNS, ids=_name)
def test_events_for_every_way_to_cut(turn: RecordedTurn) -> None:
    """Whole, byte by byte, at every single cut and at random cuts a stream gives its events and its fault."""
    for chunks in every_way(turn.stream):
        events, fault, _ = _run(chunks)
        assert tuple(events) == turn.events
        assert (None if fault is None else fault.code) == turn.fault


@pytest.mark.parametrize("turn", TURNS, ids=_name)
def test_shape_of_every_event_list(turn: RecordedTurn) -> None:
    """Start comes first and once, each block that opened gets one stop, blocks are numbered in order of opening."""
    events, fault, _ = _run([turn.stream])
    assert [type(event) for event in events].count(MessageStart) == (1 if events else 0)
    assert not events or isinstance(events[0], MessageStart)
    opened: list[int] = []
    stopped: list[int] = []
    for event in events:
        index = getattr(event, "index", None)
        if index is not None and index not in opened:
            opened.append(index)
        if isinstance(event, ContentBlockStop):
            stopped.append(event.index)
        else:
            assert index not in stopped
    assert opened == list(range(len(opened)))
    if fault is None:
        assert sorted(stopped) == opened
        assert [type(event) for event in events[-2:]] == [UsageEvent, MessageStop]


@pytest.mark.parametrize("turn", CLEAN, ids=_name)
def test_cut_after_every_event(turn: RecordedTurn) -> None:
    """A stream cut after any event before its finish reason is truncated, with the events and usage known so far."""
    frames = _frames(turn.stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    # A choice that is read and has a finish reason, not an empty one.
    ends = [
        at
        for at, frame in enumerate(frames)
        if b'"finish_reason":"' in frame and b'_reason":""' not in frame and b'"index":1' not in frame
    ]
    for count in range(ends[0] + 1):
        events, fault, usage = _run(frames[:count])
        assert isinstance(fault, StreamTruncated)
        assert str(fault) == "Chat stream ended before finish_reason"
        assert fault.retryable
        assert tuple(events) == turn.events[: len(events)]
        told = usage_from_tail("openai", b"".join(frames[:count]))
        assert usage == counts(told)


@pytest.mark.parametrize("turn", WITH_DONE, ids=_name)
def test_cut_at_every_byte(turn: RecordedTurn) -> None:
    """A stream cut inside an event is truncated; cut between events after its finish reason it is whole."""
    for end in range(len(turn.stream)):
        events, fault, _ = _run([turn.stream[:end]])
        if fault is not None:
            assert fault.code == "stream_truncated", end
            assert tuple(events) == turn.events[: len(events)]
        else:
            # Nothing is lost but letters that were no data yet: of `data:`, of a comment, of the blank line.
            whole, line = turn.stream[:end].rsplit(b"\n", 1)
            assert b'"finish_reason":"' in whole + line
            assert b"data: ".startswith(line) or line.endswith((b"}", b"[DONE]")), end


def test_clean_end_waits_for_the_finish_reason() -> None:
    """Usage and stop come with [DONE] or the end of the body, after the usage chunk, and never without a finish."""
    finish, usage, done = (sse(event) for event in stop())
    decoder = chat.decoder()
    decoder.feed(sse(OPEN, *HELLO))
    assert decoder.feed(finish) == []
    assert decoder.feed(usage) == []
    assert [type(event) for event in decoder.feed(done)] == [ContentBlockStop, UsageEvent, MessageStop]
    assert decoder.finish() == []


@pytest.mark.parametrize("turn", FAULTY, ids=_name)
def test_decoder_after_a_fault(turn: RecordedTurn) -> None:
    """Every call after a fault raises the same fault again, without events."""
    decoder = chat.decoder()
    faults: list[WireError] = []
    for call in (lambda: decoder.feed(turn.stream), decoder.finish, decoder.finish, decoder.finish):
        try:
            call()
        except WireError as fault:
            faults.append(fault)
    first, *again = faults
    assert len(again) >= 2
    for fault in again:
        assert (type(fault), str(fault), fault.retryable) == (type(first), str(first), first.retryable)
        assert fault.events == ()


def test_feed_after_a_fault() -> None:
    """Bytes after a fault raise it again: the stream is over, and it did not end well."""
    decoder = chat.decoder()
    for _ in range(2):
        with pytest.raises(ProviderError, match="overloaded_error: Overloaded"):
            decoder.feed(sse({"error": {"type": "overloaded_error", "message": "Overloaded"}}))


def test_usage_after_a_fault() -> None:
    """What was known of the usage before a fault stays known."""
    decoder = chat.decoder()
    with pytest.raises(WireError):
        decoder.feed(sse(OPEN, *HELLO, *stop()[:2], "data: {oops"))
    assert decoder.usage == TokenUsage(input_tokens=20, output_tokens=15, cache_read_tokens=5)


@pytest.mark.parametrize("turn", WITH_DONE, ids=_name)
def test_bytes_after_the_end_change_nothing(turn: RecordedTurn) -> None:
    """After [DONE] a decoder ignores everything: errors, broken JSON, invalid UTF-8, lines without end."""
    for tail in (b"data: {oops\n\n", b"event: error\ndata: x\n\n", b"data: \xff\n\n", b"data: " + b"x" * 100):
        for chunks in ([turn.stream + tail], [turn.stream, tail], byte_by_byte(turn.stream + tail)):
            events, fault, _ = _run(chunks)
            assert tuple(events) == turn.events
            assert fault is None


def test_feed_after_finish_is_a_callers_bug() -> None:
    """Feeding a finished decoder is a RuntimeError; finishing a complete one twice gives nothing."""
    decoder = chat.decoder()
    decoder.feed(CLEAN[0].stream)
    assert decoder.finish() == []
    assert decoder.finish() == []
    with pytest.raises(RuntimeError, match="after finish"):
        decoder.feed(b"")


def test_overloaded_after_three_deltas() -> None:
    """An overload after three deltas leaves the deltas in hand and may be tried again; a used-up quota may not."""
    begun = (OPEN, chunk(content="a"), chunk(content="b"), chunk(content="c"))
    for kind, retryable in (("overloaded_error", True), ("insufficient_quota", False)):
        decoder = chat.decoder()
        with pytest.raises(ProviderError) as caught:
            decoder.feed(sse(*begun, {"error": {"type": kind, "message": "No", "retry_after": 3}}))
        assert [event.text for event in caught.value.events if isinstance(event, TextDelta)] == ["a", "b", "c"]
        assert caught.value.retryable is retryable
        assert caught.value.type == kind
        assert caught.value.retry_after == 3
        assert str(caught.value) == f"provider stream error: {kind}: No"


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("error-object", "server_error", "The server had an error"),
        ("error-typed", "server_error", "The server had an error"),
        ("error-flat", "x", "No"),
        ("error-text", "error", "overloaded"),
        ("error-named", "500", "no message"),
        ("error-named-not-json", "error", "gone"),
        ("error-beside-choices", "502", "Provider disconnected"),
        ("error-of-groq", "error", "over capacity"),
    ],
)
def test_what_an_error_says(name: str, kind: str, message: str) -> None:
    """An error in a stream keeps its type and its message, in each of its shapes."""
    _, fault, _ = _run([turn.stream for turn in FAULTY if turn.name == name])
    assert isinstance(fault, ProviderError)
    assert (fault.type, fault.message) == (kind, message)


def test_framing_fault_keeps_the_events_of_its_chunk() -> None:
    """Invalid UTF-8 in a chunk is raised with the events that the chunk held before it, and names the offset."""
    decoder = chat.decoder()
    with pytest.raises(WireError, match=r"invalid UTF-8 in SSE stream: .* at byte 3 ") as caught:
        decoder.feed(sse(OPEN, chunk(content="a")) + b"data: abc\xff\n\n")
    assert caught.value.code == "sse_bad_utf8"
    assert caught.value.events == (MessageStart(), TextDelta(index=0, text="a"))


@pytest.mark.parametrize("nested", ['{"x":%s}', '{"choices":[],"x":%s}', '{"error":%s}'])
@pytest.mark.parametrize("before", [(), HELLO])
def test_json_nested_too_deeply(nested: str, before: tuple[dict[str, object], ...]) -> None:
    """JSON that is nested too deeply to be read is malformed, also where it would be skipped."""
    decoder = chat.decoder()
    with pytest.raises(WireError) as caught:
        decoder.feed(sse(*before, "data: " + nested % ("[" * 100_000 + "]" * 100_000)))
    assert str(caught.value) == "malformed SSE json: nested too deeply"


# Streams of Chat in the table of all: the others speak Responses, Messages, or end in a fault that the gateway,
# which only meters, reads on behind.
METERED = [
    stream
    for stream in STREAMS
    if stream.sse and stream.dialect == "openai" and not stream.error and b'"choices"' in stream.body
]


@pytest.mark.parametrize("stream", METERED, ids=_name)
def test_usage_as_the_gateway_reads_it(stream: Stream) -> None:
    """Over every recorded stream the decoder and the gateway's reader of tails know the same usage."""
    _, fault, usage = _run([stream.body])
    if fault is None or fault.code == "stream_truncated":
        assert usage == counts(stream.usage)
    else:
        assert stream not in CHAT_STREAMS


def test_all_chat_streams_are_metered() -> None:
    """No recorded stream of Chat is left out of the comparison above."""
    assert len(METERED) >= len(CHAT_STREAMS) >= 25
    assert set(map(_name, CHAT_STREAMS)) <= set(map(_name, METERED))


@pytest.mark.parametrize("turn", CLEAN, ids=_name)
def test_usage_of_turns_as_the_gateway_reads_it(turn: RecordedTurn) -> None:
    """The usage event of each recorded turn is what the gateway's reader finds in its bytes."""
    _, _, usage = _run([turn.stream])
    assert usage == counts(usage_from_tail("openai", turn.stream))


def test_turn_of_a_stream() -> None:
    """Reasoning, text and calls come out as blocks in order, reasoning signed by the name of its field."""
    sent = (chunk(reasoning="Hm."), *HELLO, opening(0, "call_a", "f", '{"a":'), chunk(tool_calls=[piece(0, "[1]}")]))
    events, fault, _ = _run([sse(OPEN, *sent, *stop("tool_calls"))])
    assert fault is None
    turn = accumulate(events)
    assert turn.message.content == (
        ThinkingBlock(thinking="Hm.", signature="reasoning"),
        TextBlock(text="Hello!"),
        ToolUseBlock(id="call_a", name="f", input={"a": [1]}),
    )
    assert turn.stop_reason == "tool_use"
    assert turn.usage == TokenUsage(input_tokens=20, output_tokens=15, cache_read_tokens=5)


def test_arguments_byte_by_byte() -> None:
    """Arguments in pieces of one character make the same call; what is no JSON stays as raw text."""
    for raw, arguments, bad in (
        ('{"path":"C:\\\\x","n":[1,{"é":"🙂"}]}', {"path": "C:\\x", "n": [1, {"é": "🙂"}]}, {}),
        ('{"path": "a', {}, {"call_a": '{"path": "a'}),
        ("", {}, {}),
    ):
        pieces = [chunk(tool_calls=[piece(0, letter)]) for letter in raw]
        events, fault, _ = _run([sse(OPEN, opening(0, "call_a", "read"), *pieces, *stop("tool_calls"))])
        assert fault is None
        turn = accumulate(events)
        assert [getattr(block, "input", None) for block in turn.message.content] == [arguments]
        assert turn.bad_args == bad


def test_cost_of_decoding_is_a_small_part_above_framing() -> None:
    """Decoding a stream of small text deltas costs at most 6 times what framing alone costs."""
    body = sse(OPEN, *[chunk(content="some words more")] * 8_000)
    chunks = [body[at : at + 16_384] for at in range(0, len(body), 16_384)]

    def cost(made: object) -> float:
        feed = getattr(made, "feed")  # noqa: B009 - either of two classes
        began = process_time()
        for bytes_ in chunks:
            feed(bytes_)
        return process_time() - began

    framing = min(cost(SseParser()) for _ in range(3))
    decoding = min(cost(chat.decoder()) for _ in range(3))
    assert decoding < 6 * framing


def test_arguments_held_back_cost_linear_time() -> None:
    """Twice as many pieces of a call whose name comes last cost at most 3 times as much."""

    def cost(pieces: int) -> float:
        body = sse(OPEN, *[chunk(tool_calls=[piece(0, "xx", "call_a")])] * pieces, opening(0, "call_a", "f"))
        decoder = chat.decoder()
        began = process_time()
        decoder.feed(body)
        return process_time() - began

    assert min(cost(16_000) for _ in range(3)) < 3 * min(cost(8_000) for _ in range(3))


def test_repr_tells_the_state() -> None:
    """The decoder's repr names its blocks, its fault and its end, and no text of the answer."""
    decoder = chat.decoder()
    decoder.feed(sse(OPEN, chunk(content="secret")))
    assert repr(decoder) == "<ChatDecoder <AnswerEvents blocks=1 stopped=False done=False> fault=None finished=False>"
