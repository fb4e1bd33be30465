"""Whole Responses answers: the same turn as the stream of the same answer, or a documented error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from beyond_wire import responses
from beyond_wire.errors import ProviderError
from beyond_wire.testing.responses_turn_parts import (
    COUNTED,
    HELLO_ITEM,
    USAGE,
    call,
    message,
    part,
    reasoning,
    response,
)
from beyond_wire.testing.responses_turns import TURNS
from beyond_wire.types import TextBlock, ThinkingBlock, ToolUseBlock
from beyond_wire.usage import usage_from_body

if TYPE_CHECKING:
    from beyond_wire.testing.recorded import RecordedTurn

PAIRED = [turn for turn in TURNS if turn.body is not None]


def _body(*output: Any, status: str = "completed", **more: Any) -> bytes:
    return msgspec.json.encode(response(status, *output, **{"usage": USAGE, **more}))


@pytest.mark.parametrize("turn", [turn for turn in PAIRED if not turn.odd], ids=lambda turn: turn.name)
def test_official_types_accept_the_recorded_body(turn: RecordedTurn) -> None:
    """The recorded bodies are responses to the vendor's own SDK; those of other servers are marked as odd."""
    from openai.types.responses import Response

    assert turn.body is not None
    body = msgspec.json.decode(turn.body)
    if body["usage"]:
        body["usage"]["input_tokens_details"]["cache_write_tokens"] = 0
    more: dict[str, Any] = {"created_at": 1, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    Response.model_validate({**body, **more})


def test_content_of_a_body() -> None:
    """Reasoning, text and calls come out as blocks in order, with the stop reason and usage of the body."""
    thought = reasoning("Hm.", encrypted_content="gAAA")
    turn = responses.decode_body(
        _body(thought, message(part("Hello!"), phase="commentary"), call('{"path":"a\\nb","deep":[1.5,null]}'))
    )
    assert turn.message.content == (
        ThinkingBlock(thinking="Hm.\n\n", signature=msgspec.json.encode(thought).decode()),
        TextBlock(text="Hello!", id="msg_1", phase="commentary"),
        ToolUseBlock(id="call_1|fc_1", name="weather", input={"path": "a\nb", "deep": [1.5, None]}),
    )
    assert turn.stop_reason == "tool_use"
    assert turn.usage == COUNTED


def test_arguments_that_are_no_object() -> None:
    """A call whose arguments are no object keeps its raw text beside an empty input, as in a stream."""
    turn = responses.decode_body(_body(call("[1]")))
    assert turn.message.content == (ToolUseBlock(id="call_1|fc_1", name="weather", input={}),)
    assert turn.bad_args == {"call_1|fc_1": "[1]"}


def test_body_without_a_status() -> None:
    """A server that leaves the status out has completed its answer."""
    body = msgspec.json.encode({"object": "response", "output": [HELLO_ITEM]})
    assert responses.decode_body(body).message.content == (TextBlock(text="Hello!", id="msg_1"),)


@pytest.mark.parametrize("usage", [None, 7, [], {}, {"input_tokens": "25"}, {"input_tokens": 25, "output_tokens": -1}])
def test_odd_usage_hides_nothing_else(usage: Any) -> None:
    """Whatever stands under usage, the answer is read, and the counts are those the gateway reads."""
    body = _body(HELLO_ITEM, usage=usage)
    turn = responses.decode_body(body)
    assert turn.message.content == (TextBlock(text="Hello!", id="msg_1"),)
    facts = usage_from_body("openai", body)
    assert turn.usage.input_tokens == ((facts and facts.input_tokens) or 0)
    assert turn.usage.output_tokens == 0


@pytest.mark.parametrize("details", [None, 7, [], {}, {"reason": ["content_filter"]}, {"reason": "max_output_tokens"}])
def test_odd_details_of_an_incomplete_answer(details: Any) -> None:
    """Whatever stands for the reason, an answer that is incomplete was cut for its length unless it was filtered."""
    turn = responses.decode_body(_body(HELLO_ITEM, status="incomplete", incomplete_details=details))
    assert turn.stop_reason == "max_tokens"


@pytest.mark.parametrize(
    ("body", "kind", "message_"),
    [
        (b'{"type":"error","error":{"type":"not_found_error","message":"no model"}}', "not_found_error", "no model"),
        (b'{"error":{"type":"server_error","message":"down","code":null}}', "server_error", "down"),
        (b'{"error":"down"}', "error", "down"),
        (b'{"type":"error","code":"rate_limit_exceeded","message":"busy"}', "rate_limit_exceeded", "busy"),
        (_body(status="failed", error={"code": "server_error", "message": "no"}), "server_error", "no"),
        (_body(status="failed", error={"code": "c", "type": "t", "message": "no"}), "c", "no"),
        (_body(status="failed"), "error", "no message"),
        (_body(HELLO_ITEM, error={"code": "server_error", "message": "no"}), "server_error", "no"),
        (_body(7, error={"code": "server_error", "message": "no"}), "server_error", "no"),
    ],
)
def test_error_body(body: bytes, kind: str, message_: str) -> None:
    """An error object in any of its shapes, and a response that failed, is the provider's error."""
    with pytest.raises(ProviderError) as caught:
        responses.decode_body(body)
    assert (caught.value.type, caught.value.message) == (kind, message_)


def test_unknown_items_and_fields_are_skipped() -> None:
    """Items of new kinds and new fields do not disturb the known ones, even under the names of known fields."""
    items: list[dict[str, Any]] = [
        {"type": "new", "content": 7, "name": []},
        {"no_type": True},
        {"type": ["message"]},
        {**HELLO_ITEM, "new": None, "content": [part("Hello!"), {"type": "new", "text": 7}, {"refusal": None}]},
    ]
    turn = responses.decode_body(_body(*items, new={"a": [1]}))
    assert turn.message.content == (TextBlock(text="Hello!", id="msg_1"),)
    assert turn.stop_reason == "end_turn"
