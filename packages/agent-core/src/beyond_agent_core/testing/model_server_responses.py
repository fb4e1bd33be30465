"""A `Turn` as Responses sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beyond_agent_core.testing.model_server_chat import counts
from beyond_agent_core.testing.model_server_parts import MODEL, arguments, blocks_of, pieces
from beyond_wire.tool_ids import unpack
from beyond_wire.types import TextBlock, ToolUseBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beyond_wire.types import Turn


def body(turn: Turn) -> dict[str, Any]:
    """Return the whole response."""
    return _response(turn, _items(turn))


def _items(turn: Turn) -> list[dict[str, Any]]:
    refusal = turn.stop_reason == "refusal"
    return [_item(at, block, refusal=refusal) for at, block in enumerate(blocks_of(turn))]


def _item(at: int, block: TextBlock | ToolUseBlock, *, refusal: bool) -> dict[str, Any]:
    if isinstance(block, TextBlock):
        part = {"type": "refusal", "refusal": block.text} if refusal else _output_text(block.text)
        return {"type": "message", "id": f"msg_{at}", "status": "completed", "role": "assistant", "content": [part]}
    call_id, item_id = unpack(block.id)
    fields = {"call_id": call_id, "name": block.name, "arguments": arguments(block), "status": "completed"}
    return {"type": "function_call", **({"id": item_id} if item_id else {}), **fields}


def _output_text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def _response(turn: Turn, output: list[dict[str, Any]]) -> dict[str, Any]:
    cut = turn.stop_reason == "max_tokens"
    usage = counts(turn.usage)
    return {
        "id": "resp_scripted",
        "object": "response",
        "created_at": 0,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "model": MODEL,
        "output": output,
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": usage["prompt_tokens_details"],
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": usage["completion_tokens_details"],
            "total_tokens": usage["total_tokens"],
        },
    }


def events(turn: Turn) -> Iterator[dict[str, Any]]:
    """Yield the events of a stream."""
    opening = {**_response(turn, []), "status": "in_progress", "incomplete_details": None, "usage": None}
    yield {"type": "response.created", "response": opening}
    items = _items(turn)
    said = "refusal" if turn.stop_reason == "refusal" else "output_text"
    for at, (block, item) in enumerate(zip(blocks_of(turn), items, strict=True)):
        is_text = isinstance(block, TextBlock)
        nothing: dict[str, Any] = {"content": []} if is_text else {"arguments": ""}
        empty = {**item, "status": "in_progress", **nothing}
        yield {"type": "response.output_item.added", "output_index": at, "item": empty}
        kind = f"response.{said if is_text else 'function_call_arguments'}.delta"
        for piece in pieces(block):
            yield {"type": kind, "output_index": at, "content_index": 0, "delta": piece}
        yield {"type": "response.output_item.done", "output_index": at, "item": item}
    response = _response(turn, items)
    yield {"type": f"response.{response['status']}", "response": response}
