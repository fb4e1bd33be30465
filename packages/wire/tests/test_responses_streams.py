"""Responses streams: each recorded answer gives exactly its events, however its bytes are cut and wherever it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from beyond_wire import responses
from beyond_wire.accumulate import turn_of
from beyond_wire.errors import ProviderError, WireError
from beyond_wire.sse import SseParser
from beyond_wire.testing.responses_turn_parts import (
    COUNTED,
    CREATED,
    HELLO_ITEM,
    USAGE,
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
from beyond_wire.testing.telling import told
from beyond_wire.types import (
    TextDelta,
    TokenUsage,
    ToolUseBlock,
)

if TYPE_CHECKING:
    from beyond_wire.testing.fixture import Fields
    from beyond_wire.testing.recorded import RecordedTurn
    from beyond_wire.usage import UsageFacts

OTHERS = [s for s in STREAMS if s.dialect == "openai" and s.sse and not s.name.startswith("responses-")]


def _name(turn: RecordedTurn | Stream) -> str:
    return turn.name


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
    _, fault, usage = told(responses, [stream(CREATED, early, new, late)])
    assert fault is None
    assert usage == TokenUsage(input_tokens=6, output_tokens=4, cache_read_tokens=3)


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


@pytest.mark.parametrize("recorded", OTHERS, ids=_name)
def test_streams_of_other_endpoints(recorded: Stream) -> None:
    """The stream of another endpoint is no answer of this one; unless an error ends it, its usage is the gateway's."""
    _, fault, usage = told(responses, [recorded.body])
    assert fault is not None
    if fault.code == "stream_truncated":
        assert usage == _counted(recorded.usage)


def test_ids_above_64_characters_survive() -> None:
    """A turn with a long item id keeps both ids whole."""
    turn = turn_of(next(turn for turn in TURNS if turn.name == "ids-long-and-strange").events)
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
            events, fault, _ = told(
                responses, [stream(CREATED, added(0, call("")), *pieces, *last, whole("completed"))]
            )
            assert fault is None
            turn = turn_of(events)
            assert [getattr(block, "input", None) for block in turn.message.content] == [parsed]
            assert turn.bad_args == bad


def test_reasoning_item_is_kept_byte_for_byte() -> None:
    """The signature of reasoning is its item's text as it came, whatever its order, escapes and unknown fields."""
    item = '{"new":[1.50,1e3],"type":"reasoning","id":"rs_1","encrypted_content":"g\\/+=\\u0041é","summary":[]}'
    closed = 'data: {"type":"response.output_item.done","output_index":0,"item":' + item + "}"
    events, fault, _ = told(responses, [stream(CREATED, closed, whole("completed"))])
    assert fault is None
    assert [getattr(block, "signature", None) for block in turn_of(events).message.content] == [item]


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
