"""One request with the body it is on Chat Completions, and short ways to write both down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beyond_wire.caps import caps_for
from beyond_wire.testing.recorded import RecordedRequest
from beyond_wire.types import (
    Caps,
    ImageSource,
    Message,
    ModelRequest,
    ToolDef,
    ToolResultBlock,
    ToolUseBlock,
)

if TYPE_CHECKING:
    from beyond_wire.testing.fixture import Fields

PLAIN = "kimi-k2"
SEEING = "openai/gpt-4o"
THINKER = "gpt-5"
PNG = ImageSource(media_type="image/png", data="iVBORw0KGgo=")
JPEG = ImageSource(media_type="image/jpeg", data="/9j/4AAQ")
WEATHER = ToolDef(
    name="weather",
    description="Weather of a city",
    input_schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
TIME = ToolDef(name="time", description="", input_schema={"type": "object", "properties": {}})
WEATHER_SENT: Fields = {
    "type": "function",
    "function": {"name": "weather", "description": "Weather of a city", "parameters": WEATHER.input_schema},
}
TIME_SENT: Fields = {
    "type": "function",
    "function": {"name": "time", "description": "", "parameters": TIME.input_schema},
}
HI_SENT: Fields = {"role": "user", "content": "Hi"}
PNG_SENT: Fields = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
JPEG_SENT: Fields = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4AAQ"}}


def golden(
    name: str,
    messages: tuple[Message, ...],
    sent: list[Fields],
    *,
    model: str = PLAIN,
    caps: Caps | None = None,
    limit: str = "max_tokens",
    effort: str | None = None,
    options: Fields | None = None,
    **fields: Any,
) -> RecordedRequest:
    """Return a request of `fields`; `options` is what the body holds behind the stream options."""
    request = ModelRequest(model=model, messages=messages, max_tokens=1_000, **fields)
    streamed: Fields = (
        {"stream": True, "stream_options": {"include_usage": True}} if request.stream else {"stream": False}
    )
    asked = {} if effort is None else {"reasoning_effort": effort}
    body = {"model": model, "messages": sent, limit: 1_000, **asked, **streamed, **(options or {})}
    key = "" if request.no_cache else request.cache_key
    headers = {"session_id": key, "x-client-request-id": key, "x-session-affinity": key} if key else {}
    return RecordedRequest(name=name, request=request, caps=caps or caps_for(model), body=body, headers=headers)


def used(id_: str, name: str = "weather", **arguments: Any) -> ToolUseBlock:
    """Return a call."""
    return ToolUseBlock(id=id_, name=name, input=arguments)


def use_sent(id_: str, name: str = "weather", arguments: str = "{}") -> Fields:
    """Return a call as it is sent."""
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def calls_sent(*calls: Fields, content: str | None = None) -> Fields:
    """Return an assistant message with calls as it is sent."""
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def result_sent(id_: str, content: str) -> Fields:
    """Return a result as it is sent."""
    return {"role": "tool", "tool_call_id": id_, "content": content}


def result(id_: str, content: str, *images: ImageSource, is_error: bool = False) -> ToolResultBlock:
    """Return a result."""
    return ToolResultBlock(tool_use_id=id_, content=content, images=images, is_error=is_error)


NO_TOOLS: Fields = {"tools": []}
