"""What all requests share on their way to bytes: numbers that are checked, faults that name a field, headers of caches.

A dialect says how a request looks (`encode_prepared` calls it); what cannot be encoded is looked for only after the
encoder has refused the whole, so that nothing is paid for it where all is well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from beyond_wire.errors import EncodeError
from beyond_wire.surrogates import clean_value
from beyond_wire.types import ToolUseBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_wire.types import Caps, ModelRequest

Fields: TypeAlias = dict[str, Any]
"""A JSON object; its keys are sent in their order."""

MAX_CACHE_KEY = 64
"""Longest `prompt_cache_key`, in characters (wire contract, Chat, and OpenAI's API reference)."""

LONG_RETENTION = "24h"
"""Value of `prompt_cache_retention` for a long cache (wire contract, Chat)."""

_encode = msgspec.json.Encoder().encode
_REFUSALS = (TypeError, ValueError, OverflowError, RecursionError)

# Fields that are sent as they were given. The last is cleaned where it is sent, and blamed when all others are well.
_AS_GIVEN = (
    "model",
    "max_tokens",
    "thinking",
    "reasoning_effort",
    "temperature",
    "cache_key",
    "user_id",
    "reasoning_summary",
    "service_tier",
    "stream",
    "tool_choice",
)


def body_bytes(
    body: Callable[[ModelRequest, Caps], Fields], request: ModelRequest, caps: Caps, source: ModelRequest
) -> bytes:
    """Return the JSON of what `body` makes of the request, whose history is prepared.

    Raises `EncodeError` naming the field that cannot be encoded, by its place in `source`, the request as it was given.
    """
    if request.max_tokens < 0:
        raise EncodeError("max_tokens", "below 0")
    # NaN is not below infinity either; both would be encoded as null.
    if request.temperature is not None and not abs(request.temperature) < float("inf"):
        raise EncodeError("temperature", "not a finite number")
    try:
        return _encode(body(request, caps))
    except _REFUSALS as error:
        raise EncodeError(culprit(source), str(error)) from error


def cache_fields(request: ModelRequest, caps: Caps) -> Fields:
    """Fields of OpenAI's prompt cache, each only where it is sent."""
    if request.no_cache:
        return {}
    fields: Fields = {}
    if request.cache_key:
        fields["prompt_cache_key"] = request.cache_key[:MAX_CACHE_KEY]
    if request.cache_long and caps.long_cache:
        fields["prompt_cache_retention"] = LONG_RETENTION
    return fields


def affinity_headers(request: ModelRequest, names: tuple[str, ...]) -> dict[str, str]:
    """Headers `names` that hold the cache key, so that a router sends a conversation where its cache is.

    Empty where there is no key or nothing is to be cached. Raises `EncodeError` for a key that no header can hold: only
    printable ASCII can.
    """
    key = request.cache_key
    if not key or request.no_cache:
        return {}
    if not (key.isascii() and key.isprintable()):
        raise EncodeError("cache_key", "not printable ASCII, so no header can hold it")
    return dict.fromkeys(names, key)


def culprit(request: ModelRequest) -> str:
    """Path of the value in `request` that cannot be encoded, nearly always one of the two fields of any type."""
    for at, tool in enumerate(request.tools):
        if not _encodes(clean_value, tool.input_schema):
            return f"tools[{at}].input_schema"
    for at, message in enumerate(request.messages):
        for place, block in enumerate(message.content):
            if isinstance(block, ToolUseBlock) and not _encodes(clean_value, block.input):
                return f"messages[{at}].content[{place}].input"
    return next((name for name in _AS_GIVEN if not _encodes(_same, getattr(request, name))), "request")


def _same(value: object) -> object:
    return value


def _encodes(sent_as: Callable[[Any], object], value: object) -> bool:
    try:
        _encode(sent_as(value))
    except _REFUSALS:
        return False
    return True
