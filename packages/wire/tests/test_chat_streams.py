"""Chat streams: each recorded answer gives exactly its events, however its bytes are cut and wherever it ends."""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING

import pytest

from beyond_wire import chat
from beyond_wire.accumulate import turn_of
from beyond_wire.errors import ProviderError, WireError
from beyond_wire.testing.chat_turn_parts import HELLO, OPEN, chunk, opening, piece, stop
from beyond_wire.testing.chat_turns import TURNS
from beyond_wire.testing.fixture import sse
from beyond_wire.testing.telling import told
from beyond_wire.types import (
    ContentBlockStop,
    MessageStop,
    TextBlock,
    ThinkingBlock,
    TokenUsage,
    ToolUseBlock,
    UsageEvent,
)

if TYPE_CHECKING:
    from beyond_wire.testing.recorded import RecordedTurn
    from beyond_wire.testing.streams import Stream

CLEAN = [turn for turn in TURNS if turn.fault is None]
FAULTY = [turn for turn in TURNS if turn.fault is not None]
WITH_DONE = [turn for turn in CLEAN if turn.stream.endswith(b"data: [DONE]\n\n")]


def _name(turn: RecordedTurn | Stream) -> str:
    return turn.name


@pytest.mark.parametrize("turn", WITH_DONE, ids=_name)
def test_cut_at_every_byte(turn: RecordedTurn) -> None:
    """A stream cut inside an event is truncated; cut between events after its finish reason it is whole."""
    for end in range(len(turn.stream)):
        events, fault, _ = told(chat, [turn.stream[:end]])
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


def test_usage_after_a_fault() -> None:
    """What was known of the usage before a fault stays known."""
    decoder = chat.decoder()
    with pytest.raises(WireError):
        decoder.feed(sse(OPEN, *HELLO, *stop()[:2], "data: {oops"))
    assert decoder.usage == TokenUsage(input_tokens=20, output_tokens=15, cache_read_tokens=5)


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
    _, fault, _ = told(chat, [turn.stream for turn in FAULTY if turn.name == name])
    assert isinstance(fault, ProviderError)
    assert (fault.type, fault.message) == (kind, message)


@pytest.mark.parametrize("nested", ['{"x":%s}', '{"choices":[],"x":%s}', '{"error":%s}'])
@pytest.mark.parametrize("before", [(), HELLO])
def test_json_nested_too_deeply(nested: str, before: tuple[dict[str, object], ...]) -> None:
    """JSON that is nested too deeply to be read is malformed, also where it would be skipped."""
    decoder = chat.decoder()
    with pytest.raises(WireError) as caught:
        decoder.feed(sse(*before, "data: " + nested % ("[" * 100_000 + "]" * 100_000)))
    assert str(caught.value) == "malformed SSE json: nested too deeply"


def test_turn_of_a_stream() -> None:
    """Reasoning, text and calls come out as blocks in order, reasoning signed by the name of its field."""
    sent = (chunk(reasoning="Hm."), *HELLO, opening(0, "call_a", "f", '{"a":'), chunk(tool_calls=[piece(0, "[1]}")]))
    events, fault, _ = told(chat, [sse(OPEN, *sent, *stop("tool_calls"))])
    assert fault is None
    turn = turn_of(events)
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
        events, fault, _ = told(chat, [sse(OPEN, opening(0, "call_a", "read"), *pieces, *stop("tool_calls"))])
        assert fault is None
        turn = turn_of(events)
        assert [getattr(block, "input", None) for block in turn.message.content] == [arguments]
        assert turn.bad_args == bad


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
