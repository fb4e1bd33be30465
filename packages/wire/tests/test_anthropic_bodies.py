"""Whole Anthropic answers: the same turn as the stream of the same answer, or a documented error."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from beyond_wire import anthropic
from beyond_wire.accumulate import accumulate
from beyond_wire.errors import MAX_EXCERPT, BodyInvalid, ProviderError
from beyond_wire.testing.anthropic_turn_parts import HELLO_BLOCK, RecordedTurn, answer
from beyond_wire.testing.anthropic_turns import TURNS
from beyond_wire.testing.bodies import BODIES
from beyond_wire.types import TextBlock, TokenUsage, ToolUseBlock
from beyond_wire.usage import usage_from_body

PAIRED = [turn for turn in TURNS if turn.body is not None]


@pytest.mark.parametrize("turn", PAIRED, ids=lambda turn: turn.name)
def test_body_and_stream_give_the_same_turn(turn: RecordedTurn) -> None:
    """A whole answer gives the turn that its stream gives, from its bytes to its accumulated blocks."""
    assert turn.body is not None
    decoder = anthropic.decoder()
    streamed = accumulate([*decoder.feed(turn.stream), *decoder.finish()])
    assert anthropic.decode_body(turn.body) == streamed


# Words and shapes of other servers.
NOT_VENDORS = {"stop-sensitive", "stop-aborted", "thinking-unsigned-in-the-opening"}


@pytest.mark.parametrize("turn", [t for t in PAIRED if t.name not in NOT_VENDORS], ids=lambda turn: turn.name)
def test_official_types_accept_the_recorded_body(turn: RecordedTurn) -> None:
    """The recorded bodies are messages to the vendor's own SDK, so the table holds no invented shape."""
    from anthropic.types import Message

    assert turn.body is not None
    Message.model_validate_json(turn.body)


def test_content_of_a_body() -> None:
    """Text and calls come out as blocks in order, with the stop reason and usage of the body."""
    use = {"type": "tool_use", "id": "toolu_01", "name": "read", "input": {"path": "a\nb", "deep": [1.5, None]}}
    turn = anthropic.decode_body(answer(HELLO_BLOCK, use, reason="tool_use"))
    assert turn.message.content == (
        TextBlock(text="Hello!"),
        ToolUseBlock(id="toolu_01", name="read", input={"path": "a\nb", "deep": [1.5, None]}),
    )
    assert turn.stop_reason == "tool_use"
    assert turn.usage == TokenUsage(input_tokens=25, output_tokens=15)


def test_input_that_is_no_object() -> None:
    """A call whose input is no object keeps its raw text beside an empty input, as in a stream."""
    use = {"type": "tool_use", "id": "toolu_01", "name": "read", "input": [1]}
    turn = anthropic.decode_body(answer(use))
    assert turn.message.content == (ToolUseBlock(id="toolu_01", name="read", input={}),)
    assert turn.bad_args == {"toolu_01": "[1]"}


@pytest.mark.parametrize("input_", ["{}", "{ }", "null"])
def test_input_that_is_empty(input_: str) -> None:
    """An empty input, however it is written, is an empty object and no bad argument; null is empty."""
    body = answer({"type": "tool_use", "id": "toolu_01", "name": "now", "input": "@"}).replace(b'"@"', input_.encode())
    turn = anthropic.decode_body(body)
    assert turn.message.content == (ToolUseBlock(id="toolu_01", name="now", input={}),)
    assert turn.bad_args == {}


@pytest.mark.parametrize(
    "usage", [None, 7, [], {}, {"input_tokens": "25"}, {"input_tokens": 25, "output_tokens": -1, "cache_creation": 7}]
)
def test_odd_usage_hides_nothing_else(usage: Any) -> None:
    """Whatever stands under usage, the answer is read, and the counts are those the gateway reads."""
    body = answer(HELLO_BLOCK, usage=usage)
    turn = anthropic.decode_body(body)
    assert turn.message.content == (TextBlock(text="Hello!"),)
    facts = usage_from_body("anthropic", body)
    for name in TokenUsage.__struct_fields__:
        assert getattr(turn.usage, name) == ((facts and getattr(facts, name)) or 0)


@pytest.mark.parametrize("body", [s for s in BODIES if s.dialect == "anthropic" and s.usage], ids=lambda s: s.name)
def test_usage_of_recorded_bodies(body: Any) -> None:
    """Over every recorded body with usage the turn's counts are the gateway's."""
    turn = anthropic.decode_body(body.body)
    for name in TokenUsage.__struct_fields__:
        assert getattr(turn.usage, name) == (getattr(body.usage, name) or 0)


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b'{"type":"error","error":{"type":"not_found_error","message":"no model"}}', "not_found_error", "no model"),
        (b'{"error":{"type":"api_error","message":"down"}}', "api_error", "down"),
        (b'{"error":"down"}', "error", "down"),
        (b'{"type":"error","code":"overloaded_error","message":"busy"}', "overloaded_error", "busy"),
    ],
)
def test_error_body(body: bytes, kind: str, message: str) -> None:
    """An error object in any of its four shapes is the provider's error."""
    with pytest.raises(ProviderError) as caught:
        anthropic.decode_body(body)
    assert (caught.value.type, caught.value.message) == (kind, message)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"<html>502 Bad Gateway</html>",
        b'[{"type":"message","content":[]}]',
        b'{"content":[]}',
        b'{"type":"message"}',
        b'{"type":"message","content":"Hi"}',
        b'{"type":"message","content":[7]}',
        b'{"type":"message","content":[{"type":"text","text":7}]}',
        b'{"type":"message","content":[{"type":"tool_use","id":"a"}]}',
        b'{"type":"message","content":[{"type":"new","x":' + b"[" * 9_000 + b"]" * 9_000 + b"}]}",
        b'{"type":"message","content":[]',
        b'{"type":"message","content":[{"type":"text","text":"\xff"}]}',
        b'{"type":"message","content":[{"type":"tool_use","id":"a","name":"b","input":{"c":"\xff"}}]}',
        b'{"object":"chat.completion","choices":[]}',
    ],
)
def test_body_that_is_no_answer(body: bytes) -> None:
    """What is neither an answer nor an error is invalid, and its beginning is kept for diagnosis."""
    with pytest.raises(BodyInvalid) as caught:
        anthropic.decode_body(body)
    assert caught.value.body == body.decode(errors="replace")[:MAX_EXCERPT]
    assert not caught.value.retryable


def test_unknown_blocks_and_fields_are_skipped() -> None:
    """Blocks of new kinds and new fields do not disturb the known ones, even under the names of known fields."""
    blocks: list[dict[str, Any]] = [
        {"type": "new", "text": 7, "data": []},
        {"no_type": True},
        {"type": ["text"]},
        {**HELLO_BLOCK, "citations": None},
    ]
    turn = anthropic.decode_body(answer(*blocks, container=None, new={"a": [1]}))
    assert turn.message.content == (TextBlock(text="Hello!"),)


def test_turn_survives_encoding() -> None:
    """A decoded turn is plain data: encoded and decoded again it is the same."""
    turn = anthropic.decode_body(answer(HELLO_BLOCK))
    assert msgspec.json.decode(msgspec.json.encode(turn), type=type(turn)) == turn
