"""A request as the body of Responses, in a fixed order of keys: prompt caches match on bytes.

Nothing is stored at the provider, so reasoning is asked for in encrypted form and given back as it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.encoding import body_bytes, cache_fields
from beyond_wire.history import prepare
from beyond_wire.responses_items import input_items
from beyond_wire.surrogates import clean_text
from beyond_wire.types import NamedTool

if TYPE_CHECKING:
    from beyond_wire.encoding import Fields
    from beyond_wire.types import Caps, ModelRequest, ToolChoice, ToolDef


def encode(request: ModelRequest, caps: Caps) -> bytes:
    """Body of the request, its history made fit by `prepare`; the same request gives the same bytes.

    Raises `EncodeError` naming the field that cannot be encoded.
    """
    return encode_prepared(prepare(request, caps.spoken("responses")), caps, source=request)


def encode_prepared(request: ModelRequest, caps: Caps, *, source: ModelRequest | None = None) -> bytes:
    """Body of a request that has been through `prepare` or a `Preparer`; nothing in its history is looked at again.

    `source` is the request before that, in whose places an `EncodeError` names the field; `request` itself by default.
    """
    return body_bytes(_body, request, caps, source or request)


def _body(request: ModelRequest, caps: Caps) -> Fields:
    body: Fields = {
        "model": request.model,
        "input": input_items(request, caps),
        "stream": request.stream,
        "store": False,
        "max_output_tokens": request.max_tokens,
    }
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        if request.tool_choice is not None:
            # The API refuses a choice among no tools.
            body["tool_choice"] = _tool_choice(request.tool_choice)
    if request.temperature is not None and caps.temperature:
        body["temperature"] = request.temperature
    if request.service_tier is not None:
        body["service_tier"] = request.service_tier
    return body | cache_fields(request, caps) | _reasoning_fields(request, caps)


def _reasoning_fields(request: ModelRequest, caps: Caps) -> Fields:
    """Fields `reasoning` and `include` of the body, each only where it is sent.

    Wishes that name no effort mean a medium one. A model that thinks whether asked or not is left to its own effort.
    """
    if caps.thinking == "none":
        return {}
    include = {"include": ["reasoning.encrypted_content"]}
    if request.reasoning_effort is None and request.thinking is None and request.reasoning_summary is None:
        return {"reasoning": {"effort": "none"}} if caps.can_disable else include
    effort = caps.effort(request.reasoning_effort or "medium")
    asked = {} if effort is None else {"effort": caps.xhigh_word if effort == "xhigh" else effort}
    return {"reasoning": {**asked, "summary": request.reasoning_summary or "auto"}, **include}


def _tool(tool: ToolDef) -> Fields:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.input_schema,
    }


def _tool_choice(choice: ToolChoice) -> str | Fields:
    if isinstance(choice, NamedTool):
        return {"type": "function", "name": clean_text(choice.name)}
    return choice
