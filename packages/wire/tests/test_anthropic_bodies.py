"""Whole Anthropic answers: the same turn as the stream of the same answer, or a documented error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from beyond_wire import anthropic
from beyond_wire.testing.anthropic_turn_parts import HELLO_BLOCK, answer
from beyond_wire.testing.anthropic_turns import TURNS
from beyond_wire.types import TextBlock, TokenUsage, ToolUseBlock
from beyond_wire.usage import usage_from_body

if TYPE_CHECKING:
    from beyond_wire.testing.recorded import RecordedTurn

PAIRED = [turn for turn in TURNS if turn.body is not None]


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
