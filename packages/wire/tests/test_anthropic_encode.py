"""Requests as Anthropic Messages bodies: the exact bytes, the same every time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from beyond_wire import anthropic
from beyond_wire.caps import caps_for
from beyond_wire.testing.anthropic_golden import OLD
from beyond_wire.types import (
    Dialect,
    Message,
    ModelRequest,
    RedactedThinkingBlock,
    ThinkingBlock,
    ToolDef,
    ToolUseBlock,
    assistant,
    user,
)

if TYPE_CHECKING:
    from beyond_wire.types import ContentBlock


def _request(*messages: Message, model: str = OLD, **options: Any) -> ModelRequest:
    options.setdefault("max_tokens", 4_000)
    return ModelRequest(model=model, messages=messages or (user("Hi"),), **options)


def _encode(request: ModelRequest) -> bytes:
    return anthropic.encode(request, caps_for(request.model))


def test_module_is_a_dialect() -> None:
    """The module has the members of a dialect."""
    dialect: Dialect = anthropic
    assert (dialect.name, dialect.path) == ("anthropic", "/v1/messages")
    assert dialect.decoder() is not dialect.decoder()


def test_ids_are_anthropics_whatever_the_model_is_called() -> None:
    """A model whose id suggests another dialect gets ids that Anthropic accepts."""
    call = assistant([ToolUseBlock(id="a.b|fc_1", name="read", input={})])
    assert b'"id":"a_b"' in _encode(_request(user("Hi"), call, model="gpt-5"))


def test_description_that_is_empty_is_left_out() -> None:
    """A tool without a description is sent without one."""
    body = msgspec.json.decode(_encode(_request(tools=(ToolDef(name="a", description="", input_schema={}),))))
    assert "description" not in body["tools"][0]


@pytest.mark.parametrize(
    "thought", [ThinkingBlock(thinking="Hm", signature="sig"), RedactedThinkingBlock(data="sealed")]
)
def test_answer_that_is_only_thinking_ends_with_text(thought: ContentBlock) -> None:
    """An answer cut while the model thought keeps its thinking and gets a text behind it, so that it can be sent."""
    body = msgspec.json.decode(_encode(_request(user("Hi"), assistant([thought]), user("On"))))
    kinds = [block["type"] for block in body["messages"][1]["content"]]
    assert kinds == [thought.__struct_config__.tag, "text"]
    assert body["messages"][1]["content"][-1]["text"] == "(no content)"
