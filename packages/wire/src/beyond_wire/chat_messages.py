"""A prepared history as Chat Completions' messages.

The wire has one message for each result, texts where others have blocks, and images in user messages only. So a user
message of ours becomes several: its results, and after the last of them one message with all that is left, because
nothing may stand between calls and results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from beyond_wire.chat_shapes import REASONING_FIELDS
from beyond_wire.history_steps import NO_CONTENT
from beyond_wire.types import ImageBlock, TextBlock, ThinkingBlock, ToolResultBlock, ToolUseBlock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beyond_wire.types import ContentBlock, ImageSource, Message

Fields: TypeAlias = dict[str, Any]

PARAGRAPH = "\n\n"
"""What stands between the texts of one message, as between system texts (wire contract, history)."""


def wire_messages(messages: Iterable[Message]) -> list[Fields]:
    """Return the messages of a prepared history, in order, without the system text."""
    whole: list[Fields] = []
    for message in messages:
        if message.role == "assistant":
            whole.append(_assistant(message.content))
        else:
            whole += _user(message.content)
    return whole


def _user(content: tuple[ContentBlock, ...]) -> list[Fields]:
    messages: list[Fields] = []
    parts: list[Fields] = []
    for block in content:
        if isinstance(block, ToolResultBlock):
            messages.append({"role": "tool", "tool_call_id": block.tool_use_id, "content": block.content})
            if block.images:
                parts.append(_text(f"images of tool call {block.tool_use_id}:"))
                parts += [_image(image) for image in block.images]
        elif isinstance(block, TextBlock):
            parts.append(_text(block.text))
        elif isinstance(block, ImageBlock):
            parts.append(_image(block.source))
    if parts:
        # Many servers that know no images know no parts either.
        plain = all(part["type"] == "text" for part in parts)
        said = PARAGRAPH.join([part["text"] for part in parts]) if plain else parts
        messages.append({"role": "user", "content": said})
    return messages


def _assistant(content: tuple[ContentBlock, ...]) -> Fields:
    texts: list[str] = []
    thoughts: dict[str, list[str]] = {}
    calls: list[Fields] = []
    for block in content:
        if isinstance(block, TextBlock):
            texts.append(block.text)
        elif isinstance(block, ToolUseBlock):
            calls.append(_call(block))
        elif isinstance(block, ThinkingBlock) and block.thinking.strip():
            # Reasoning goes back under the name it came by; what has none of these is another dialect's.
            kept = thoughts.setdefault(block.signature, []) if block.signature in REASONING_FIELDS else texts
            kept.append(block.thinking)
    # Content may be null beside calls only.
    said = PARAGRAPH.join(texts) if texts else None if calls else NO_CONTENT
    message: Fields = {"role": "assistant", "content": said}
    message |= {field: PARAGRAPH.join(thoughts[field]) for field in REASONING_FIELDS if field in thoughts}
    if calls:
        message["tool_calls"] = calls
    return message


def _call(block: ToolUseBlock) -> Fields:
    arguments = msgspec.json.encode(block.input).decode()
    return {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": arguments}}


def _text(text: str) -> Fields:
    return {"type": "text", "text": text}


def _image(source: ImageSource) -> Fields:
    return {"type": "image_url", "image_url": {"url": f"data:{source.media_type};base64,{source.data}"}}
