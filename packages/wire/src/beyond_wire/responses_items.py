"""A history as the input of Responses: no messages but a flat list of items.

A message of ours becomes one item for each call, result, reasoning and text; only a user's text and images stay
together. Items refer to one another by ids, which are therefore sent where they are known: text and calls by the
provider's own, results by the id of their call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from beyond_wire.tool_ids import unpack
from beyond_wire.types import ImageBlock, TextBlock, ThinkingBlock, ToolResultBlock, ToolUseBlock

if TYPE_CHECKING:
    from beyond_wire.types import Caps, ImageSource, Message, ModelRequest

Fields: TypeAlias = dict[str, Any]

MAX_ID_CHARACTERS = 64
"""Longest id of an item (wire contract, Responses)."""

# The largest prime below 2**128. The remainder of an id by it is a hash that is the same in each process and tells ids
# apart that nobody made to be confused, for the price of no module.
_PRIME = 2**128 - 159


class _ReasoningItem(msgspec.Struct, gc=False):
    type: Literal["reasoning"]
    encrypted_content: Any = None
    content: Any = None


_encode = msgspec.json.Encoder().encode
_reasoning = msgspec.json.Decoder(_ReasoningItem)


def input_items(request: ModelRequest, caps: Caps) -> list[Fields | msgspec.Raw]:
    """System text and history of a prepared request, as items in a fixed order of keys.

    An item depends on its own message and on how many stand before it, so a longer history begins with the same items.
    """
    items: list[Fields | msgspec.Raw] = []
    if request.system is not None and request.system.strip():
        items.append({"role": "developer" if caps.thinking == "effort" else "system", "content": request.system})
    for at, message in enumerate(request.messages):
        items += _asked(message) if message.role == "user" else _answered(message, at)
    return items


def _asked(message: Message) -> list[Fields]:
    """Items of a user message: its results, which stand first, and one for its text and images."""
    items: list[Fields] = []
    parts: list[Fields] = []
    for block in message.content:
        if isinstance(block, ToolResultBlock):
            items.append(
                {"type": "function_call_output", "call_id": unpack(block.tool_use_id)[0], "output": _output(block)}
            )
        elif isinstance(block, TextBlock):
            parts.append({"type": "input_text", "text": block.text})
        elif isinstance(block, ImageBlock):
            parts.append(_image(block.source))
    if parts:
        items.append({"role": "user", "content": parts})
    return items


def _answered(message: Message, at: int) -> list[Fields | msgspec.Raw]:
    """Items of an assistant message, the one at place `at` of the history."""
    items: list[Fields | msgspec.Raw] = []
    texts = 0
    for block in message.content:
        match block:
            case ToolUseBlock():
                items.append(_call(block))
            case ThinkingBlock() if _is_reasoning_item(block.signature):
                items.append(msgspec.Raw(block.signature.encode()))
            case TextBlock() | ThinkingBlock():
                spoken = block if isinstance(block, TextBlock) else TextBlock(text=block.thinking)
                if spoken.text.strip():
                    items.append(_text(spoken, f"msg_{at}_{texts}" if texts else f"msg_{at}"))
                    texts += 1
            case _:
                pass  # redacted thinking, which only its own provider can read
    while items and isinstance(items[-1], msgspec.Raw):
        # An answer that was cut while the model thought; the API refuses reasoning without what it led to.
        items.pop()
    return items


def _text(block: TextBlock, fallback: str) -> Fields:
    phase = {} if block.phase is None else {"phase": block.phase}
    return {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "id": _fitting(block.id, "msg_") if block.id else fallback,
        **phase,
        "content": [{"type": "output_text", "text": block.text}],
    }


def _call(block: ToolUseBlock) -> Fields:
    call_id, item_id = unpack(block.id)
    own = {} if item_id is None else {"id": _fitting(item_id, "fc_")}
    arguments = _encode(block.input).decode()
    return {"type": "function_call", **own, "call_id": call_id, "name": block.name, "arguments": arguments}


def _fitting(item_id: str, prefix: str) -> str:
    if len(item_id) <= MAX_ID_CHARACTERS:
        return item_id
    return f"{prefix}{int.from_bytes(item_id.encode(), 'big') % _PRIME:032x}"


def _is_reasoning_item(signature: str) -> bool:
    """Whether it is reasoning that can be sent back: a mere id means nothing to a provider that stores nothing."""
    if not signature.startswith("{"):
        return False
    try:
        item = _reasoning.decode(signature)
    except (ValueError, RecursionError):
        return False
    return bool(item.encrypted_content or item.content)


def _output(block: ToolResultBlock) -> str | list[Fields]:
    if not block.images:
        return block.content
    text = [{"type": "input_text", "text": block.content}] if block.content.strip() else []
    return [*text, *[_image(image) for image in block.images]]


def _image(source: ImageSource) -> Fields:
    url = f"data:{source.media_type};base64,{source.data}"
    return {"type": "input_image", "detail": "auto", "image_url": url}
