"""Anthropic streams: each recorded answer gives exactly its events, however its bytes are cut and wherever it ends."""

from __future__ import annotations

from time import process_time

import pytest

from beyond_wire import anthropic
from beyond_wire.accumulate import accumulate
from beyond_wire.errors import ProviderError, StreamTruncated, WireError
from beyond_wire.sse import SseParser
from beyond_wire.tails import usage_from_tail
from beyond_wire.testing.anthropic_streams import OPEN, start, text
from beyond_wire.testing.anthropic_turn_parts import RecordedTurn, call, end
from beyond_wire.testing.anthropic_turns import TURNS
from beyond_wire.testing.chunking import byte_by_byte, every_way
from beyond_wire.testing.fixture import named, sse
from beyond_wire.testing.streams import STREAMS, Stream
from beyond_wire.types import ContentBlockStop, MessageStart, MessageStop, StreamEvent, TextDelta, TokenUsage

CLEAN = [turn for turn in TURNS if turn.fault is None]
FAULTY = [turn for turn in TURNS if turn.fault is not None]


def _name(turn: RecordedTurn | Stream) -> str:
    return turn.name


def _run(chunks: list[bytes]) -> tuple[list[StreamEvent], WireError | None, TokenUsage]:
    """Events of the chunks, those of a fault included; the fault; the usage known at the end."""
    decoder = anthropic.decoder()
    events: list[StreamEvent] = []
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
        events += decoder.finish()
    except WireError as fault:
        events += fault.events
        return events, fault, decoder.usage
    return events, None, decoder.usage


def _frames(stream: bytes) -> list[bytes]:
    return [frame + b"\n\n" for frame in stream.split(b"\n\n") if frame]


def test_table_is_wide() -> None:
    """The table holds at least 25 streams under different names, with bodies, faults and every stop reason."""
    assert len({turn.name for turn in TURNS}) == len(TURNS) >= 25
    assert len([turn for turn in TURNS if turn.body is not None]) >= 20
    stops = {event.stop_reason for turn in CLEAN for event in turn.events if isinstance(event, MessageStop)}
    assert stops == {"end_turn", "tool_use", "max_tokens", "stop_sequence", "refusal", "other"}


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
    opened: dict[int, None] = {}
    stopped: list[int] = []
    for event in events:
        if isinstance(event, ContentBlockStop):
            stopped.append(event.index)
        elif (index := getattr(event, "index", None)) is not None:
            assert index not in stopped
        opened |= dict.fromkeys([index] if (index := getattr(event, "index", None)) is not None else [])
    assert list(opened) == list(range(len(opened)))
    if fault is None:
        assert sorted(stopped) == list(opened)
        assert isinstance(events[-1], MessageStop)


@pytest.mark.parametrize("turn", CLEAN, ids=_name)
def test_cut_after_every_event(turn: RecordedTurn) -> None:
    """A stream cut after any event before message_stop is truncated, with the events and the usage known so far."""
    before_end = turn.stream[: turn.stream.index(b"event: message_stop")]
    frames = _frames(before_end)
    assert len(frames) > 1
    for count in range(len(frames) + 1):
        events, fault, usage = _run(frames[:count])
        assert isinstance(fault, StreamTruncated)
        assert str(fault) == "Anthropic stream ended before message_stop"
        assert fault.retryable
        assert tuple(events) == turn.events[: len(events)]
        if turn.stream.startswith(b"event: message_start") and count:
            assert usage.input_tokens >= 25


@pytest.mark.parametrize("turn", CLEAN, ids=_name)
def test_cut_at_every_byte(turn: RecordedTurn) -> None:
    """A stream cut at any byte before its message_stop is never a clean end."""
    for end_ in range(turn.stream.index(b'"message_stop"}')):
        events, fault, _ = _run([turn.stream[:end_]])
        assert fault is not None
        assert fault.code in {"stream_truncated", "sse_bad_json", "sse_bad_utf8"}
        assert tuple(events) == turn.events[: len(events)]


@pytest.mark.parametrize("turn", FAULTY, ids=_name)
def test_decoder_after_a_fault(turn: RecordedTurn) -> None:
    """After a fault the usage stays known, and every further call raises the same fault without events."""
    decoder = anthropic.decoder()

    def run() -> None:
        decoder.feed(turn.stream)
        decoder.finish()

    with pytest.raises(WireError) as first:
        run()
    if turn.stream:
        assert decoder.usage.input_tokens == 25
    for _ in range(2):
        with pytest.raises(type(first.value)) as again:
            decoder.finish()
        assert str(again.value) == str(first.value)
        assert again.value.retryable == first.value.retryable
        assert again.value.events == ()


def test_feed_after_a_fault() -> None:
    """Bytes after a fault raise it again: the stream is over, and it did not end well."""
    decoder = anthropic.decoder()
    for _ in range(2):
        with pytest.raises(ProviderError, match="overloaded_error: Overloaded"):
            decoder.feed(sse({"error": {"type": "overloaded_error", "message": "Overloaded"}}))


@pytest.mark.parametrize("turn", [turn for turn in CLEAN if turn.stream.endswith(b"\n\n")], ids=_name)
def test_bytes_after_the_end_change_nothing(turn: RecordedTurn) -> None:
    """After message_stop a decoder ignores everything: errors, broken JSON, invalid UTF-8, lines without end."""
    for tail in (b"data: {oops\n\n", b"event: error\ndata: x\n\n", b"data: \xff\n\n", b"data: " + b"x" * 100):
        for chunks in ([turn.stream + tail], [turn.stream, tail], byte_by_byte(turn.stream + tail)):
            events, fault, _ = _run(chunks)
            assert tuple(events) == turn.events
            assert fault is None


def test_feed_after_finish_is_a_callers_bug() -> None:
    """Feeding a finished decoder is a RuntimeError; finishing a complete one twice gives nothing."""
    decoder = anthropic.decoder()
    decoder.feed(CLEAN[0].stream)
    assert decoder.finish() == []
    assert decoder.finish() == []
    with pytest.raises(RuntimeError, match="after finish"):
        decoder.feed(b"")


def test_overloaded_after_three_deltas() -> None:
    """An overload after three deltas leaves the deltas in hand and may be tried again; a used-up quota may not."""
    begun = (start(input_tokens=25), OPEN, text("a"), text("b"), text("c"))
    for kind, retryable in (("overloaded_error", True), ("insufficient_quota", False)):
        fault = named({"type": "error", "error": {"type": kind, "message": "No", "retry_after": 3}})
        decoder = anthropic.decoder()
        with pytest.raises(ProviderError) as caught:
            decoder.feed(sse(*begun, fault))
        assert [event.text for event in caught.value.events if isinstance(event, TextDelta)] == ["a", "b", "c"]
        assert caught.value.retryable is retryable
        assert caught.value.type == kind
        assert caught.value.retry_after == 3
        assert str(caught.value) == f"provider stream error: {kind}: No"


def test_framing_fault_keeps_the_events_of_its_chunk() -> None:
    """Invalid UTF-8 in a chunk is raised with the events that the chunk held before it, and names the offset."""
    decoder = anthropic.decoder()
    with pytest.raises(WireError, match=r"invalid UTF-8 in SSE stream: .* at byte 3 ") as caught:
        decoder.feed(sse(start(input_tokens=25), OPEN, text("a")) + b"data: abc\xff\n\n")
    assert caught.value.code == "sse_bad_utf8"
    assert caught.value.events == (MessageStart(), TextDelta(index=0, text="a"))


@pytest.mark.parametrize(
    "nested", ['{"type":"ping","x":%s}', '{"type":"new","x":%s}', '{"type":"message_stop","error":%s}']
)
def test_json_nested_too_deeply(nested: str) -> None:
    """JSON that is nested too deeply to be read is malformed, also where it would be skipped."""
    decoder = anthropic.decoder()
    with pytest.raises(WireError) as caught:
        decoder.feed(b"data: " + (nested % ("[" * 100_000 + "]" * 100_000)).encode() + b"\n\n")
    assert str(caught.value) == "malformed SSE json: nested too deeply"


@pytest.mark.parametrize("stream", [s for s in STREAMS if s.dialect == "anthropic" and s.sse], ids=_name)
def test_usage_as_the_gateway_reads_it(stream: Stream) -> None:
    """Over every recorded stream the decoder and the gateway's reader of tails know the same usage."""
    _, fault, usage = _run([stream.body])
    facts = usage_from_tail("anthropic", stream.body)
    if facts is None:
        assert usage == TokenUsage()
        return
    for field in TokenUsage.__struct_fields__:
        told = getattr(facts, field)
        # Of a cut answer the gateway leaves out the output that message_start counted, which is only its beginning.
        if told is not None or fault is None:
            assert getattr(usage, field) == (told or 0), field


@pytest.mark.parametrize("turn", CLEAN, ids=_name)
def test_usage_of_turns_as_the_gateway_reads_it(turn: RecordedTurn) -> None:
    """The usage event of each recorded turn is what the gateway's reader finds in its bytes."""
    _, _, usage = _run([turn.stream])
    facts = usage_from_tail("anthropic", turn.stream)
    assert facts is not None
    assert {name: getattr(facts, name) or 0 for name in TokenUsage.__struct_fields__} == {
        name: getattr(usage, name) for name in TokenUsage.__struct_fields__
    }


def test_arguments_byte_by_byte() -> None:
    """Arguments in pieces of one character make the same call; what is no JSON stays as raw text."""
    for raw, arguments, bad in (
        ('{"path":"C:\\\\x","n":[1,{"é":"🙂"}]}', {"path": "C:\\x", "n": [1, {"é": "🙂"}]}, {}),
        ('{"path": "a', {}, {"toolu_01": '{"path": "a'}),
        ("", {}, {}),
    ):
        stream = sse(
            start(input_tokens=25),
            *call(0, "toolu_01", "read", *raw),
            end("tool_use"),
            ("message_stop", {"type": "message_stop"}),
        )
        events, fault, _ = _run([stream])
        assert fault is None
        turn = accumulate(events)
        assert [getattr(block, "input", None) for block in turn.message.content] == [arguments]
        assert turn.bad_args == bad


def test_cost_of_decoding_is_a_small_part_above_framing() -> None:
    """Decoding a stream of small text deltas costs at most 6 times what framing alone costs."""
    body = sse(start(input_tokens=25), OPEN, *[text("some words more")] * 8_000)
    chunks = [body[at : at + 16_384] for at in range(0, len(body), 16_384)]

    def cost(made: object) -> float:
        feed = getattr(made, "feed")  # noqa: B009 - either of two classes
        began = process_time()
        for chunk in chunks:
            feed(chunk)
        return process_time() - began

    framing = min(cost(SseParser()) for _ in range(3))
    decoding = min(cost(anthropic.decoder()) for _ in range(3))
    assert decoding < 6 * framing


def test_repr_tells_the_state() -> None:
    """The decoder's repr names its blocks, its fault and its end, and no text of the answer."""
    decoder = anthropic.decoder()
    decoder.feed(sse(start(input_tokens=25), OPEN, text("secret")))
    assert repr(decoder) == "<AnthropicDecoder <AnswerEvents blocks=1 open=1 done=False> fault=None finished=False>"
