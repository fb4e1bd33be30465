"""Responses streams: each recorded answer gives exactly its events, however its bytes are cut and wherever it ends."""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING

import msgspec
import pytest

from beyond_wire import responses
from beyond_wire.accumulate import accumulate
from beyond_wire.errors import ProviderError, StreamTruncated, WireError
from beyond_wire.sse import SseParser
from beyond_wire.tails import usage_from_tail
from beyond_wire.testing.chunking import byte_by_byte, every_way
from beyond_wire.testing.responses_turn_parts import (
    COUNTED,
    CREATED,
    HELLO_ITEM,
    USAGE,
    RecordedTurn,
    added,
    arguments,
    call,
    done,
    stream,
    text,
    whole,
)
from beyond_wire.testing.responses_turns import TURNS
from beyond_wire.testing.streams import STREAMS, Stream
from beyond_wire.types import (
    ContentBlockStop,
    MessageStart,
    MessageStop,
    StreamEvent,
    TextDelta,
    TokenUsage,
    ToolUseBlock,
    UsageEvent,
)

if TYPE_CHECKING:
    from beyond_wire.testing.fixture import Fields
    from beyond_wire.usage import UsageFacts

CLEAN = [turn for turn in TURNS if turn.fault is None]
FAULTY = [turn for turn in TURNS if turn.fault is not None]
OTHERS = [s for s in STREAMS if s.dialect == "openai" and s.sse and not s.name.startswith("responses-")]
TRUNCATED = "Responses stream ended before response.completed"


def _name(turn: RecordedTurn | Stream) -> str:
    return turn.name


def _run(chunks: list[bytes]) -> tuple[list[StreamEvent], WireError | None, TokenUsage]:
    """Events of the chunks, those of a fault included; the fault; the usage known at the end."""
    decoder = responses.decoder()
    events: list[StreamEvent] = []
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
        events += decoder.finish()
    except WireError as fault:
        events += fault.events
        return events, fault, decoder.usage
    return events, None, decoder.usage


def _counted(facts: UsageFacts | None) -> TokenUsage:
    """Return what facts mean, written a second time: input without the cached part, unknown as zero."""
    if facts is None:
        return TokenUsage()
    cached = facts.cache_read_tokens or 0
    return TokenUsage(
        input_tokens=max((facts.input_tokens or 0) - cached, 0),
        output_tokens=facts.output_tokens or 0,
        cache_read_tokens=cached,
        reasoning_tokens=facts.reasoning_tokens or 0,
    )


def test_table_is_wide() -> None:
    """The table holds at least 50 streams under different names, with bodies, faults and every stop reason."""
    assert len({turn.name for turn in TURNS}) == len(TURNS) >= 50
    assert len([turn for turn in TURNS if turn.body is not None]) >= 25
    stops = {event.stop_reason for turn in CLEAN for event in turn.events if isinstance(event, MessageStop)}
    assert stops == {"end_turn", "tool_use", "max_tokens", "refusal"}


@pytest.mark.parametrize("turn", TURNS, ids=_name)
def test_events_for_every_way_to_cut(turn: RecordedTurn) -> None:
    """Whole, byte by byte, at every single cut and at random cuts a stream gives its events and its fault."""
    for chunks in every_way(turn.stream):
        events, fault, _ = _run(chunks)
        assert tuple(events) == turn.events
        assert (None if fault is None else fault.code) == turn.fault


@pytest.mark.parametrize("turn", TURNS, ids=_name)
def test_shape_of_every_event_list(turn: RecordedTurn) -> None:
    """Start comes first and once, each block gets one stop and nothing after it, usage and stop come last and once."""
    events, fault, _ = _run([turn.stream])
    kinds = [type(event) for event in events]
    assert kinds[:1] == [MessageStart] * min(1, len(kinds))
    assert kinds.count(MessageStart) == len(kinds[:1])
    opened: set[int] = set()
    stopped: list[int] = []
    for event in events:
        if isinstance(event, ContentBlockStop):
            stopped.append(event.index)
        elif (index := getattr(event, "index", None)) is not None:
            assert index not in stopped
        opened |= {index} if (index := getattr(event, "index", None)) is not None else set()
    assert opened == set(range(len(opened)))
    if fault is None:
        assert sorted(stopped) == sorted(opened)
        assert kinds[-2:] == [UsageEvent, MessageStop]
        assert kinds.count(UsageEvent) == kinds.count(MessageStop) == 1


@pytest.mark.parametrize("turn", CLEAN, ids=_name)
def test_cut_after_every_event(turn: RecordedTurn) -> None:
    """A stream cut after any event before the terminal one is truncated, with the events known so far."""
    frames = [frame + b"\n\n" for frame in turn.stream.replace(b"\r\n", b"\n").split(b"\n\n") if frame]
    for count in range(len(frames)):
        events, fault, usage = _run(frames[:count])
        assert isinstance(fault, StreamTruncated)
        assert str(fault) == TRUNCATED
        assert fault.retryable
        assert tuple(events) == turn.events[: len(events)]
        assert usage == TokenUsage()


@pytest.mark.parametrize("turn", CLEAN, ids=_name)
def test_cut_at_every_byte(turn: RecordedTurn) -> None:
    """A stream cut at any byte of its terminal event or before it is truncated, in the middle of an event too."""
    for end in range(len(turn.stream.rstrip(b"\r\n"))):
        events, fault, _ = _run([turn.stream[:end]])
        assert isinstance(fault, StreamTruncated)
        assert str(fault) == TRUNCATED
        assert tuple(events) == turn.events[: len(events)]


@pytest.mark.parametrize("turn", FAULTY, ids=_name)
def test_decoder_after_a_fault(turn: RecordedTurn) -> None:
    """After a fault every further call raises the same fault without events."""
    decoder = responses.decoder()
    faults: list[WireError] = []
    for call_ in (lambda: decoder.feed(turn.stream), decoder.finish, decoder.finish):
        try:
            call_()
        except WireError as fault:
            faults.append(fault)
    first, *later = faults
    assert first.code == turn.fault
    assert later
    for again in later:
        assert (type(again), str(again), again.retryable) == (type(first), str(first), first.retryable)
        assert again.events == ()


def test_feed_after_a_fault() -> None:
    """Bytes after a fault raise it again: the stream is over, and it did not end well."""
    decoder = responses.decoder()
    for _ in range(2):
        with pytest.raises(ProviderError, match="server_error: no"):
            decoder.feed(stream(whole("failed", error={"code": "server_error", "message": "no"})))


@pytest.mark.parametrize("turn", CLEAN, ids=_name)
def test_bytes_after_the_end_change_nothing(turn: RecordedTurn) -> None:
    """After the terminal event a decoder ignores everything: errors, broken JSON, invalid UTF-8, lines without end."""
    for tail in (b"data: [DONE]\n\n", b"data: {oops\n\n", b"event: error\ndata: x\n\n", b"data: \xff\n\n", b"data: x"):
        body = turn.stream if turn.stream.endswith(b"\n\n") else turn.stream + b"\n\n"
        for chunks in ([body + tail], [body, tail], byte_by_byte(body + tail)):
            events, fault, _ = _run(chunks)
            assert tuple(events) == turn.events
            assert fault is None


def test_feed_after_finish_is_a_callers_bug() -> None:
    """Feeding a finished decoder is a RuntimeError; finishing a complete one twice gives nothing."""
    decoder = responses.decoder()
    decoder.feed(CLEAN[0].stream)
    assert decoder.finish() == []
    assert decoder.finish() == []
    with pytest.raises(RuntimeError, match="after finish"):
        decoder.feed(b"")


def test_error_after_three_deltas() -> None:
    """An error after three deltas leaves them in hand; an overload may be tried again, a used-up quota may not."""
    begun = (CREATED, added(0, HELLO_ITEM), text(0, "a"), text(0, "b"), text(0, "c"))
    for code, retryable in (("server_error", True), ("insufficient_quota", False), ("invalid_prompt", False)):
        for fault in (
            whole("failed", error={"code": code, "message": "No"}),
            whole("failed", error={"code": code, "message": "No", "type": "some_error"}),
            {"type": "error", "code": code, "message": "No", "param": None},
            {"type": "error", "error": {"type": code, "message": "No"}},
        ):
            decoder = responses.decoder()
            with pytest.raises(ProviderError) as caught:
                decoder.feed(stream(*begun, fault, text(0, "d")))
            assert [event.text for event in caught.value.events if isinstance(event, TextDelta)] == ["a", "b", "c"]
            assert caught.value.retryable is retryable
            assert caught.value.type == code
            assert str(caught.value) == f"provider stream error: {code}: No"


@pytest.mark.parametrize(("error", "kind"), [(None, "error"), ("down", "error"), (7, "error"), ({"a": 1}, "error")])
def test_failure_without_a_code(error: object, kind: str) -> None:
    """A response that failed for no known reason is a provider's error all the same."""
    decoder = responses.decoder()
    with pytest.raises(ProviderError) as caught:
        decoder.feed(stream(CREATED, whole("failed", error=error)))
    assert caught.value.type == kind
    assert caught.value.message == ("down" if error == "down" else "no message")


def test_usage_after_a_fault() -> None:
    """A failed response reports what it cost, and the decoder knows it after the fault."""
    decoder = responses.decoder()
    with pytest.raises(ProviderError):
        decoder.feed(stream(CREATED, whole("failed", error={"code": "server_error", "message": "no"}, usage=USAGE)))
    assert decoder.usage == COUNTED


def test_last_known_usage_wins() -> None:
    """Counts are cumulative: each is the last one told, null and absence change nothing, wherever they stand."""
    early = whole("in_progress", usage={"input_tokens": 9, "output_tokens": 1})
    late = whole("completed", usage={"input_tokens": None, "output_tokens": 4})
    new = {"type": "response.new", "usage": {"output_tokens": 2, "input_tokens_details": {"cached_tokens": 3}}}
    _, fault, usage = _run([stream(CREATED, early, new, late)])
    assert fault is None
    assert usage == TokenUsage(input_tokens=6, output_tokens=4, cache_read_tokens=3)


def test_framing_fault_keeps_the_events_of_its_chunk() -> None:
    """Invalid UTF-8 in a chunk is raised with the events that the chunk held before it, and names the offset."""
    decoder = responses.decoder()
    with pytest.raises(WireError, match=r"invalid UTF-8 in SSE stream: .* at byte 3 ") as caught:
        decoder.feed(stream(CREATED, added(0, HELLO_ITEM), text(0, "a")) + b"data: abc\xff\n\n")
    assert caught.value.code == "sse_bad_utf8"
    assert caught.value.events == (MessageStart(), TextDelta(index=0, text="a"))


@pytest.mark.parametrize(
    "nested",
    [
        '{"type":"response.new","x":%s}',
        '{"type":"response.completed","response":{},"error":%s}',
        '{"type":"response.output_item.added","output_index":0,"item":{"type":"message","content":[{"text":%s}]}}',
    ],
)
def test_json_nested_too_deeply(nested: str) -> None:
    """JSON that is nested too deeply to be read is malformed, also where it would be skipped."""
    decoder = responses.decoder()
    with pytest.raises(WireError) as caught:
        decoder.feed(b"data: " + (nested % ("[" * 100_000 + "]" * 100_000)).encode() + b"\n\n")
    assert str(caught.value) == "malformed SSE json: nested too deeply"


@pytest.mark.parametrize("recorded", [s for s in STREAMS if s.name.startswith("responses-")], ids=_name)
def test_recorded_streams_as_the_gateway_reads_them(recorded: Stream) -> None:
    """Over every recorded stream of this endpoint the decoder and the gateway's reader know the same usage."""
    assert recorded.sse
    _, fault, usage = _run([recorded.body])
    assert usage == _counted(recorded.usage)
    assert isinstance(fault, ProviderError) is recorded.error


@pytest.mark.parametrize("recorded", OTHERS, ids=_name)
def test_streams_of_other_endpoints(recorded: Stream) -> None:
    """The stream of another endpoint is no answer of this one; unless an error ends it, its usage is the gateway's."""
    _, fault, usage = _run([recorded.body])
    assert fault is not None
    if fault.code == "stream_truncated":
        assert usage == _counted(recorded.usage)


@pytest.mark.parametrize("turn", TURNS, ids=_name)
def test_usage_of_turns_as_the_gateway_reads_it(turn: RecordedTurn) -> None:
    """Whether it ends well or not, the usage of each recorded turn is what the gateway's reader finds in its bytes."""
    _, _, usage = _run([turn.stream])
    assert usage == _counted(usage_from_tail("openai", turn.stream))


def test_ids_above_64_characters_survive() -> None:
    """A turn with a long item id keeps both ids whole."""
    turn = accumulate(next(turn for turn in TURNS if turn.name == "ids-long-and-strange").events)
    (block,) = turn.message.content
    assert isinstance(block, ToolUseBlock)
    assert block.id == r"call\|\\1|fc_" + "x" * 400


def test_arguments_byte_by_byte() -> None:
    """Arguments in pieces of one character make the same call; what is no JSON stays as raw text."""
    for raw, parsed, bad in (
        ('{"path":"C:\\\\x","n":[1,{"é":"🙂"}]}', {"path": "C:\\x", "n": [1, {"é": "🙂"}]}, {}),
        ('{"path": "a', {}, {"call_1|fc_1": '{"path": "a'}),
        ("", {}, {}),
    ):
        for last in ((), (done(0, call(raw)),)):
            pieces = [arguments(0, piece) for piece in raw]
            events, fault, _ = _run([stream(CREATED, added(0, call("")), *pieces, *last, whole("completed"))])
            assert fault is None
            turn = accumulate(events)
            assert [getattr(block, "input", None) for block in turn.message.content] == [parsed]
            assert turn.bad_args == bad


def test_reasoning_item_is_kept_byte_for_byte() -> None:
    """The signature of reasoning is its item's text as it came, whatever its order, escapes and unknown fields."""
    item = '{"new":[1.50,1e3],"type":"reasoning","id":"rs_1","encrypted_content":"g\\/+=\\u0041é","summary":[]}'
    closed = 'data: {"type":"response.output_item.done","output_index":0,"item":' + item + "}"
    events, fault, _ = _run([stream(CREATED, closed, whole("completed"))])
    assert fault is None
    assert [getattr(block, "signature", None) for block in accumulate(events).message.content] == [item]


def test_cost_of_decoding_is_a_small_part_above_framing() -> None:
    """Decoding a stream of small text deltas costs at most 6 times what framing alone costs."""
    body = stream(CREATED, added(0, HELLO_ITEM), *[text(0, "some words more")] * 8_000)
    chunks = [body[at : at + 16_384] for at in range(0, len(body), 16_384)]

    def cost(made: object) -> float:
        feed = getattr(made, "feed")  # noqa: B009 - either of two classes
        began = process_time()
        for chunk in chunks:
            feed(chunk)
        return process_time() - began

    framing = min(cost(SseParser()) for _ in range(3))
    decoding = min(cost(responses.decoder()) for _ in range(3))
    assert decoding < 6 * framing


def test_repr_tells_the_state() -> None:
    """The decoder's repr names its blocks, its fault and its end, and no text of the answer."""
    decoder = responses.decoder()
    decoder.feed(stream(CREATED, added(0, HELLO_ITEM), text(0, "secret")))
    assert repr(decoder) == "<ResponsesDecoder <AnswerEvents blocks=1 open=1 done=False> fault=None finished=False>"


def test_official_types_accept_the_recorded_streams() -> None:
    """The recorded events are events to the vendor's own SDK, so the table holds no invented shape."""
    from openai.types.responses import ResponseStreamEvent
    from pydantic import TypeAdapter

    official: TypeAdapter[object] = TypeAdapter(ResponseStreamEvent)
    more: Fields = {"created_at": 1, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    seen = 0
    for turn in TURNS:
        if turn.odd:
            continue
        for frame in SseParser().feed(turn.stream):
            event = msgspec.json.decode(frame.data)
            if "response" in event:
                event["response"] |= more
                if event["response"]["usage"]:
                    event["response"]["usage"]["input_tokens_details"]["cache_write_tokens"] = 0
            assert getattr(official.validate_python(event), "type", None) == event["type"] == frame.event
            seen += 1
    assert seen > 200
