"""A request as the body of Responses, in a fixed order of keys: prompt caches match on bytes.

Nothing is stored at the provider, so reasoning is asked for in encrypted form and given back as it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from beyond_wire.errors import EncodeError
from beyond_wire.history import prepare
from beyond_wire.responses_items import input_items
from beyond_wire.surrogates import clean_text, clean_value
from beyond_wire.types import NamedTool, ToolUseBlock

if TYPE_CHECKING:
    from beyond_wire.types import Caps, ModelRequest, ToolChoice, ToolDef

_encode = msgspec.json.Encoder().encode

Fields: TypeAlias = dict[str, Any]

MAX_CACHE_KEY_CHARACTERS = 64
"""Longest `prompt_cache_key` (wire contract, Chat, and OpenAI's API reference)."""


def encode(request: ModelRequest, caps: Caps) -> bytes:
    """Body of the request, its history made fit by `prepare`; the same request gives the same bytes.

    Raises `EncodeError` naming the field that cannot be encoded.
    """
    return encode_prepared(prepare(request, caps.spoken("responses")), caps, source=request)


def encode_prepared(request: ModelRequest, caps: Caps, *, source: ModelRequest | None = None) -> bytes:
    """Body of a request that has been through `prepare` or a `Preparer`; nothing in its history is looked at again.

    `source` is the request before that, in whose places an `EncodeError` names the field; `request` itself by default.
    """
    _check_numbers(request)
    try:
        return _encode(_body(request, caps))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise _fault(source or request, error) from error


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
    if request.cache_key and not request.no_cache:
        body["prompt_cache_key"] = request.cache_key[:MAX_CACHE_KEY_CHARACTERS]
    if request.cache_long and caps.long_cache and not request.no_cache:
        body["prompt_cache_retention"] = "24h"
    return body | _reasoning_fields(request, caps)


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


def _check_numbers(request: ModelRequest) -> None:
    if request.max_tokens < 0:
        raise EncodeError("max_tokens", "below 0")
    # NaN is not below infinity either; both would be encoded as null.
    if request.temperature is not None and not abs(request.temperature) < float("inf"):
        raise EncodeError("temperature", "not a finite number")


def _fault(request: ModelRequest, error: Exception) -> EncodeError:
    """Error that names the value which cannot be encoded, nearly always one of the two fields of any type."""
    for at, tool in enumerate(request.tools):
        if not _encodes(tool.input_schema):
            return EncodeError(f"tools[{at}].input_schema", str(error))
    for at, message in enumerate(request.messages):
        for place, block in enumerate(message.content):
            if isinstance(block, ToolUseBlock) and not _encodes(block.input):
                return EncodeError(f"messages[{at}].content[{place}].input", str(error))
    for name in _UNCLEANED:
        if not _encodes(getattr(request, name), as_sent=True):
            return EncodeError(name, str(error))
    return EncodeError("request", str(error))


def _encodes(value: object, *, as_sent: bool = False) -> bool:
    try:
        _encode(value if as_sent else clean_value(value))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False
    return True


_UNCLEANED = (
    "temperature",
    "service_tier",
    "reasoning_effort",
    "reasoning_summary",
    "tool_choice",
    "max_tokens",
    "stream",
)
