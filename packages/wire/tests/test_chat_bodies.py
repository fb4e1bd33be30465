"""Whole Chat answers: the same turn as the stream of the same answer, or a documented error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from beyond_wire import chat
from beyond_wire.errors import ProviderError
from beyond_wire.testing.bodies import BODIES
from beyond_wire.testing.chat_turn_parts import COUNTS, answer, call, chunk
from beyond_wire.testing.chat_turns import TURNS
from beyond_wire.types import TextBlock, ThinkingBlock, TokenUsage, ToolUseBlock
from beyond_wire.usage import UsageFacts, usage_from_body

if TYPE_CHECKING:
    from beyond_wire.testing.recorded import RecordedTurn

PAIRED = [turn for turn in TURNS if turn.body is not None]


def counts(facts: UsageFacts | None) -> TokenUsage:
    """The facts that the gateway bills as the counts of a turn."""
    return TokenUsage() if facts is None else facts.to_token_usage()


# Shapes of other servers.
NOT_VENDORS = {
    "text-in-parts",
    "calls-without-an-index",
    "call-without-an-id",
    "call-never-named",
    "stop-unknown",
    "usage-odd-counts",
}


@pytest.mark.parametrize("turn", [t for t in PAIRED if t.name not in NOT_VENDORS], ids=lambda turn: turn.name)
def test_official_types_accept_the_recorded_body(turn: RecordedTurn) -> None:
    """The recorded bodies are answers to the vendor's own SDK, so the table holds no invented shape."""
    from openai.types.chat import ChatCompletion

    assert turn.body is not None
    ChatCompletion.model_validate_json(turn.body)


def test_official_types_accept_the_recorded_chunk() -> None:
    """The chunk that the recorded streams are made of is one to the vendor's own SDK."""
    from openai.types.chat import ChatCompletionChunk

    for made in (chunk(content="Hi"), chunk("stop")):
        ChatCompletionChunk.model_validate_json(msgspec.json.encode(made))


def test_content_of_a_body() -> None:
    """Reasoning, text and calls come out as blocks in order, with the stop reason and usage of the body."""
    use = call("call_a", "read", '{"path": "a", "deep": [1.5, null]}')
    body = answer("tool_calls", content="Hello!", reasoning="Hm.", tool_calls=[use, call("call_b", "f", "[1]")])
    turn = chat.decode_body(body)
    assert turn.message.content == (
        ThinkingBlock(thinking="Hm.", signature="reasoning"),
        TextBlock(text="Hello!"),
        ToolUseBlock(id="call_a", name="read", input={"path": "a", "deep": [1.5, None]}),
        ToolUseBlock(id="call_b", name="f", input={}),
    )
    assert turn.bad_args == {"call_b": "[1]"}
    assert turn.stop_reason == "tool_use"
    assert turn.usage == COUNTS


def test_body_without_a_finish_reason() -> None:
    """A body is whole as it stands: some servers leave the finish reason null."""
    turn = chat.decode_body(answer(None, content="Hello!"))
    assert turn.message.content == (TextBlock(text="Hello!"),)
    assert turn.stop_reason == "end_turn"


def test_choice_that_is_read() -> None:
    """Of several choices the first by index is read, wherever it stands."""
    choices = [{"index": at, "message": {"content": f"{at}"}, "finish_reason": "stop"} for at in (1, 0, 2)]
    turn = chat.decode_body(msgspec.json.encode({"choices": choices}))
    assert turn.message.content == (TextBlock(text="0"),)


@pytest.mark.parametrize(
    "usage", [None, 7, [], {}, {"prompt_tokens": "25"}, {"prompt_tokens": 25, "completion_tokens": -1}]
)
def test_odd_usage_hides_nothing_else(usage: Any) -> None:
    """Whatever stands under usage, the answer is read, and the counts are those the gateway reads."""
    body = answer(usage=usage, content="Hello!")
    turn = chat.decode_body(body)
    assert turn.message.content == (TextBlock(text="Hello!"),)
    assert turn.usage == counts(usage_from_body("openai", body))


RECORDED = [body for body in BODIES if body.dialect == "openai" and b'"chat.completion"' in body.body]


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (
            b'{"error":{"message":"no model","type":"invalid_request_error","code":null}}',
            "invalid_request_error",
            "no model",
        ),
        (b'{"type":"error","error":{"type":"api_error","message":"down"}}', "api_error", "down"),
        (b'{"error":"down"}', "error", "down"),
        (b'{"type":"error","code":"overloaded_error","message":"busy"}', "overloaded_error", "busy"),
        (b'{"choices":[],"x_groq":{"error":"over capacity"}}', "error", "over capacity"),
    ],
)
def test_error_body(body: bytes, kind: str, message: str) -> None:
    """An error object in any of its shapes is the provider's error."""
    with pytest.raises(ProviderError) as caught:
        chat.decode_body(body)
    assert (caught.value.type, caught.value.message) == (kind, message)
