"""The outside of an answer or stream event: the few fields that metering reads, everything else skipped unparsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_MODEL_BYTES = 256
"""Longest model name that is reported, in UTF-8 bytes (gateway contract, relay)."""

_T = TypeVar("_T")


class Details(msgspec.Struct, gc=False):
    """Parts of a count, whichever of them stand in that place; values are unchecked."""

    cached_tokens: Any = None
    reasoning_tokens: Any = None
    thinking_tokens: Any = None
    ephemeral_1h_input_tokens: Any = None


class Usage(msgspec.Struct, gc=False):
    """One usage object in the provider's own names, all dialects together; values are unchecked."""

    prompt_tokens: Any = None
    completion_tokens: Any = None
    total_tokens: Any = None
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None
    prompt_cache_hit_tokens: Any = None
    input_tokens: Any = None
    output_tokens: Any = None
    input_tokens_details: Details | None = None
    output_tokens_details: Details | None = None
    cache_read_input_tokens: Any = None
    cache_creation_input_tokens: Any = None
    cache_creation: Details | None = None


class Choice(msgspec.Struct, gc=False):
    """One choice of a Chat Completions answer."""

    usage: Usage | None = None


class Inner(msgspec.Struct, gc=False):
    """What stands under `response`, `message` or `x_groq`."""

    usage: Usage | None = None
    model: Any = None
    error: Any = None


class Envelope(msgspec.Struct, gc=False):
    """One JSON object of a provider, in any dialect; a field that is absent or of the wrong type is None."""

    type: Any = None
    object: Any = None
    model: Any = None
    error: Any = None
    usage: Usage | None = None
    response: Inner | None = None
    message: Inner | None = None
    choices: list[Choice] | None = None
    x_groq: Inner | None = None


_envelope = msgspec.json.Decoder(Envelope)
_usage = msgspec.json.Decoder(Usage)
_anything = msgspec.json.Decoder(Any)
_raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raw_items = msgspec.json.Decoder(list[msgspec.Raw])


def decode_envelope(data: bytes) -> Envelope | None:
    """Return the metered fields of one JSON object, or None when `data` is not one. Raises nothing.

    The typed decode is all that honest traffic needs. One field of an unexpected type fails it as a whole, so then each
    field is decoded by itself: a string under `message`, or a count of 400 digits, must not hide the other counts.
    """
    try:
        return _envelope.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _by_field(Envelope, _ENVELOPE, data)


def decode_usage(data: bytes | msgspec.Raw) -> Usage | None:
    """Return one usage object, a value that cannot be decoded being None; None when `data` is no object."""
    found = _attempt(_usage, data)
    return _by_field(Usage, _USAGE, data) if found is None else found


def model_from_body(body: bytes) -> str | None:
    """Name of the model that answered: at the root of a JSON answer, or under `message` or `response`.

    None when there is none, when it is empty, not a string, or above 256 bytes. Raises nothing.
    """
    envelope = decode_envelope(body)
    return None if envelope is None else model_of(envelope)


def model_of(envelope: Envelope) -> str | None:
    """Name of the model in one answer or event, as `model_from_body` gives it."""
    for holder in (envelope, envelope.message, envelope.response):
        model = holder.model if holder is not None else None
        if isinstance(model, str) and model and len(model.encode()) <= MAX_MODEL_BYTES:
            return model
    return None


def _by_field(
    cls: type[_T], readers: Mapping[str, Callable[[msgspec.Raw], Any]], data: bytes | msgspec.Raw
) -> _T | None:
    fields = _attempt(_raw_fields, data)
    if fields is None:
        return None
    return cls(**{name: read(fields[name]) for name, read in readers.items() if name in fields})


def _attempt(decoder: msgspec.json.Decoder[_T], data: bytes | msgspec.Raw) -> _T | None:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _value(data: msgspec.Raw) -> Any:
    return _attempt(_anything, data)


def _details(data: msgspec.Raw) -> Details | None:
    return _by_field(Details, _DETAILS, data)


def _inner(data: msgspec.Raw) -> Inner | None:
    return _by_field(Inner, _INNER, data)


def _first_choice(data: msgspec.Raw) -> list[Choice]:
    choices = _attempt(_raw_items, data)
    first = _by_field(Choice, _CHOICE, choices[0]) if choices else None
    return [] if first is None else [first]


_DETAILS = dict.fromkeys(Details.__struct_fields__, _value)
_USAGE = dict.fromkeys(Usage.__struct_fields__, _value) | dict.fromkeys(
    (name for name in Usage.__struct_fields__ if name.endswith("_details") or name == "cache_creation"), _details
)
_CHOICE = {"usage": decode_usage}
_INNER = {"usage": decode_usage, "model": _value, "error": _value}
_ENVELOPE = {
    **dict.fromkeys(("type", "object", "model", "error"), _value),
    **dict.fromkeys(("response", "message", "x_groq"), _inner),
    "usage": decode_usage,
    "choices": _first_choice,
}
