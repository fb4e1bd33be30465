"""What decoding and encoding cost in each dialect, as ratios that hold on a busy machine too."""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING

import pytest

from beyond_wire import (
    ANTHROPIC,
    CHAT,
    RESPONSES,
    ModelRequest,
    SseParser,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    assistant,
    caps_for,
    prepare,
    tool_results,
    user,
)
from beyond_wire.testing import anthropic_streams, chat_turn_parts, responses_turn_parts
from beyond_wire.testing.fixture import sse

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_wire import Dialect, Message

WORDS = "some words more"
STREAMS = {
    "chat": sse(chat_turn_parts.OPEN, *[chat_turn_parts.chunk(content=WORDS)] * 8_000),
    "responses": responses_turn_parts.stream(
        responses_turn_parts.CREATED,
        responses_turn_parts.added(0, responses_turn_parts.HELLO_ITEM),
        *[responses_turn_parts.text(0, WORDS)] * 8_000,
    ),
    "anthropic": sse(
        anthropic_streams.start(input_tokens=25), anthropic_streams.OPEN, *[anthropic_streams.text(WORDS)] * 8_000
    ),
}
each_dialect = pytest.mark.parametrize(
    ("dialect", "model"),
    [(CHAT, "openai/gpt-4o"), (RESPONSES, "gpt-5"), (ANTHROPIC, "claude-opus-4-8")],
    ids=["chat", "responses", "anthropic"],
)


def _cost(feed: Callable[[bytes], object], chunks: list[bytes]) -> float:
    began = process_time()
    for chunk in chunks:
        feed(chunk)
    return process_time() - began


@each_dialect
def test_decoding_costs_a_small_part_above_framing(dialect: Dialect, model: str) -> None:
    """Decoding a stream of small text deltas costs at most 6 times what framing alone costs."""
    assert caps_for(model).dialect == dialect.name
    body = STREAMS[dialect.name]
    chunks = [body[at : at + 16_384] for at in range(0, len(body), 16_384)]
    framing = min(_cost(SseParser().feed, chunks) for _ in range(3))
    assert min(_cost(dialect.decoder().feed, chunks) for _ in range(3)) < 6 * framing


@each_dialect
def test_cost_of_a_megabyte(dialect: Dialect, model: str) -> None:
    """A prepared request of 1 MB is encoded in less than 10 ms."""
    messages: list[Message] = []
    for at in range(250):
        call = ToolUseBlock(id=f"a{at}", name="read", input={"p": "x" * 900})
        messages.append(user("q" * 1_000))
        messages.append(assistant([TextBlock(text="w" * 1_000), call]))
        messages.append(tool_results([ToolResultBlock(tool_use_id=f"a{at}", content="r" * 1_000)]))
    caps = caps_for(model)
    prepared = prepare(ModelRequest(model=model, messages=tuple(messages), max_tokens=4_000), caps)

    def cost() -> float:
        began = process_time()
        assert len(dialect.encode_prepared(prepared, caps)) > 1_000_000
        return process_time() - began

    assert min(cost() for _ in range(5)) < 0.010
