"""A `Turn` as Chat Completions sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from beyond_agent_core.testing.model_server_parts import MODEL, arguments, blocks_of, pieces
from beyond_wire.types import TextBlock, ToolUseBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beyond_wire.types import TokenUsage, Turn

_STOPS: Final = {
    "end_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "refusal": "content_filter",
}


def counts(usage: TokenUsage) -> dict[str, Any]:
    """Return usage as OpenAI counts it: cached tokens are part of the prompt."""
    prompt = usage.input_tokens + usage.cache_read_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output_tokens,
        "total_tokens": prompt + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def chunks(turn: Turn) -> Iterator[dict[str, Any]]:
    """Yield the chunks of a stream, `[DONE]` excepted."""
    root = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 0, "model": MODEL}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**root, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    calls = 0
    for block in blocks_of(turn):
        if isinstance(block, TextBlock):
            for piece in pieces(block):
                yield chunk({"content": piece})
            continue
        opening = {"name": block.name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": calls, "id": block.id, "type": "function", "function": opening}]})
        for piece in pieces(block):
            yield chunk({"tool_calls": [{"index": calls, "function": {"arguments": piece}}]})
        calls += 1
    yield chunk({}, _STOPS[turn.stop_reason])
    yield {**root, "choices": [], "usage": counts(turn.usage)}


def body(turn: Turn) -> dict[str, Any]:
    """Return the whole completion."""
    blocks = blocks_of(turn)
    text = "".join(block.text for block in blocks if isinstance(block, TextBlock))
    calls = [
        {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": arguments(block)}}
        for block in blocks
        if isinstance(block, ToolUseBlock)
    ]
    message = {"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}
    choice = {"index": 0, "message": message, "finish_reason": _STOPS[turn.stop_reason]}
    root = {"id": "chatcmpl-scripted", "object": "chat.completion", "created": 0, "model": MODEL}
    return {**root, "choices": [choice], "usage": counts(turn.usage)}
