"""A `Turn` as Anthropic Messages sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beyond_agent_core.testing.model_server_parts import MODEL, blocks_of, pieces
from beyond_wire.types import TextBlock, ToolUseBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beyond_wire.types import TokenUsage, Turn


def body(turn: Turn) -> dict[str, Any]:
    """Return the whole message."""
    return _message(turn, [_block(block) for block in blocks_of(turn)])


def _usage(usage: TokenUsage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
    }


def _message(turn: Turn, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": turn.stop_reason,
        "stop_sequence": None,
        "usage": _usage(turn.usage),
    }


def _block(block: TextBlock | ToolUseBlock) -> dict[str, Any]:
    if isinstance(block, TextBlock):
        return {"type": "text", "text": block.text}
    return {"type": "tool_use", "id": block.id, "name": block.name, "input": block.input}


def events(turn: Turn) -> Iterator[dict[str, Any]]:
    """Yield the events of a stream."""
    opening = {**_message(turn, []), "stop_reason": None, "usage": {**_usage(turn.usage), "output_tokens": 1}}
    yield {"type": "message_start", "message": opening}
    for at, block in enumerate(blocks_of(turn)):
        is_text = isinstance(block, TextBlock)
        nothing: dict[str, Any] = {"text": ""} if is_text else {"input": {}}
        empty = {**_block(block), **nothing}
        yield {"type": "content_block_start", "index": at, "content_block": empty}
        kind, field = ("text_delta", "text") if is_text else ("input_json_delta", "partial_json")
        for piece in pieces(block):
            yield {"type": "content_block_delta", "index": at, "delta": {"type": kind, field: piece}}
        yield {"type": "content_block_stop", "index": at}
    delta = {"stop_reason": turn.stop_reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": turn.usage.output_tokens}}
    yield {"type": "message_stop"}
