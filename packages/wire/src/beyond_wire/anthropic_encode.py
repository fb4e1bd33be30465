"""A request as the body of Anthropic Messages, in a fixed order of keys: prompt caches match on bytes.

Cache marks go where the longest unchanged prefix ends: behind the tools, behind the system text, and at the end of the
history, so that the next request of the conversation finds all of this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.anthropic_thinking import thinking_fields
from beyond_wire.encoding import body_bytes
from beyond_wire.history import prepare
from beyond_wire.history_steps import NO_CONTENT
from beyond_wire.surrogates import clean_text
from beyond_wire.types import (
    ImageBlock,
    NamedTool,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)

if TYPE_CHECKING:
    from beyond_wire.encoding import Fields
    from beyond_wire.types import Caps, ContentBlock, ImageSource, ModelRequest, ToolChoice, ToolDef


def encode(request: ModelRequest, caps: Caps) -> bytes:
    """Body of the request, its history made fit by `prepare`; the same request gives the same bytes.

    Raises `EncodeError` naming the field that cannot be encoded.
    """
    return encode_prepared(prepare(request, caps.spoken("anthropic")), caps, source=request)


def encode_prepared(request: ModelRequest, caps: Caps, *, source: ModelRequest | None = None) -> bytes:
    """Body of a request that has been through `prepare` or a `Preparer`; nothing in its history is looked at again.

    `source` is the request before that, in whose places an `EncodeError` names the field; `request` itself by default.
    """
    return body_bytes(_body, request, caps, source or request)


def _body(request: ModelRequest, caps: Caps) -> Fields:
    mark = _cache_mark(request, caps)
    body: Fields = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "stream": request.stream,
        "messages": _messages(request, mark),
    }
    if request.system is not None and request.system.strip():
        body["system"] = [{"type": "text", "text": request.system, **mark}]
    if request.tools:
        body["tools"] = [_tool(tool, caps) for tool in request.tools]
        body["tools"][-1] |= mark
    thinking = thinking_fields(request, caps)
    body |= thinking
    thinks = thinking.get("thinking", {}).get("type") in _THINKS
    if request.temperature is not None and caps.temperature and not thinks:
        body["temperature"] = request.temperature
    if request.tool_choice is not None and request.tools:
        # The API refuses a choice among no tools.
        body["tool_choice"] = _tool_choice(request.tool_choice)
    if request.user_id is not None:
        body["metadata"] = {"user_id": request.user_id}
    return body


def _cache_mark(request: ModelRequest, caps: Caps) -> Fields:
    """What a marked object has more than others; empty when nothing is to be cached."""
    if request.no_cache:
        return {}
    if request.cache_long and caps.long_cache:
        return {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    return {"cache_control": {"type": "ephemeral"}}


def _messages(request: ModelRequest, mark: Fields) -> list[Fields]:
    messages: list[Fields] = [
        {"role": message.role, "content": [_block(block) for block in message.content]} for message in request.messages
    ]
    for message in messages[:-1]:
        if message["content"][-1]["type"] in _UNMARKED:
            # An answer that was cut while the model thought; the API refuses a message that ends so.
            message["content"].append({"type": "text", "text": NO_CONTENT})
    for message in reversed(messages):
        for block in reversed(message["content"]):
            if block["type"] not in _UNMARKED:
                block.update(mark)
                return messages
    return messages


def _block(block: ContentBlock) -> Fields:
    match block:
        case TextBlock():
            return {"type": "text", "text": block.text}
        case ToolUseBlock():
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": block.input}
        case ToolResultBlock():
            return _result(block)
        case ThinkingBlock():
            if not block.signature:
                return {"type": "text", "text": block.thinking}
            return {"type": "thinking", "thinking": block.thinking, "signature": block.signature}
        case RedactedThinkingBlock():
            return {"type": "redacted_thinking", "data": block.data}
        case ImageBlock():
            return _image(block.source)


def _result(block: ToolResultBlock) -> Fields:
    content: str | list[Fields] = block.content
    if block.images:
        # Beside images a text without words would be an empty block, which the API refuses.
        text = [{"type": "text", "text": block.content}] if block.content.strip() else []
        content = [*text, *[_image(image) for image in block.images]]
    error = {"is_error": True} if block.is_error else {}
    return {"type": "tool_result", "tool_use_id": block.tool_use_id, "content": content, **error}


def _image(source: ImageSource) -> Fields:
    return {"type": "image", "source": {"type": "base64", "media_type": source.media_type, "data": source.data}}


def _tool(tool: ToolDef, caps: Caps) -> Fields:
    described = {"description": tool.description} if tool.description else {}
    eager = {"eager_input_streaming": True} if caps.eager_tools else {}
    return {"name": tool.name, **described, "input_schema": tool.input_schema, **eager}


def _tool_choice(choice: ToolChoice) -> Fields:
    if isinstance(choice, NamedTool):
        return {"type": "tool", "name": clean_text(choice.name)}
    return {"type": "any" if choice == "required" else choice}


_THINKS = ("enabled", "adaptive")
_UNMARKED = ("thinking", "redacted_thinking")
