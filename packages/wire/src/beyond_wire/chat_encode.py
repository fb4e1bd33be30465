"""A request as the body of Chat Completions, in a fixed order of keys: prompt caches match on bytes.

Providers refuse what they do not know, so a field is sent only where the request asks for it and the model has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.chat_messages import wire_messages
from beyond_wire.encoding import body_bytes, cache_fields
from beyond_wire.history import prepare
from beyond_wire.surrogates import clean_text
from beyond_wire.types import NamedTool, tool_uses

if TYPE_CHECKING:
    from beyond_wire.encoding import Fields
    from beyond_wire.types import Caps, ModelRequest, ToolChoice, ToolDef


def encode(request: ModelRequest, caps: Caps) -> bytes:
    """Body of the request, its history made fit by `prepare`; the same request gives the same bytes.

    Raises `EncodeError` naming the field that cannot be encoded.
    """
    return encode_prepared(prepare(request, caps.spoken("chat")), caps, source=request)


def encode_prepared(request: ModelRequest, caps: Caps, *, source: ModelRequest | None = None) -> bytes:
    """Body of a request that has been through `prepare` or a `Preparer`; nothing in its history is looked at again.

    `source` is the request before that, in whose places an `EncodeError` names the field; `request` itself by default.
    """
    return body_bytes(_body, request, caps, source or request)


def _body(request: ModelRequest, caps: Caps) -> Fields:
    messages = wire_messages(request.messages)
    if request.system is not None and request.system.strip():
        role = "developer" if caps.thinking == "effort" else "system"
        messages.insert(0, {"role": role, "content": request.system})
    body: Fields = {"model": request.model, "messages": messages, caps.output_field: request.max_tokens}
    effort = None if request.reasoning_effort is None else caps.effort(request.reasoning_effort)
    if effort is not None:
        body["reasoning_effort"] = caps.xhigh_word if effort == "xhigh" else effort
    body["stream"] = request.stream
    if request.stream:
        body["stream_options"] = {"include_usage": True}
    if request.temperature is not None and caps.temperature:
        body["temperature"] = request.temperature
    body |= cache_fields(request, caps)
    if request.tools or _has_calls(request):
        # An empty list beside calls of the past: some providers refuse a history with calls and no tools.
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.tool_choice is not None and request.tools:
        # The API refuses a choice among no tools.
        body["tool_choice"] = _tool_choice(request.tool_choice)
    return body


def _has_calls(request: ModelRequest) -> bool:
    return any(next(tool_uses(message), None) is not None for message in request.messages)


def _tool(tool: ToolDef) -> Fields:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.input_schema}
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice) -> Fields | str:
    if isinstance(choice, NamedTool):
        return {"type": "function", "function": {"name": clean_text(choice.name)}}
    return choice
