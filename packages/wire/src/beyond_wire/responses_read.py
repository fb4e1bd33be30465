"""Responses' JSON read into its shapes.

One typed decode turns an event's text into the struct of its kind, with nothing built for what is not read. Events of
other kinds, such as those of tools that run at the provider, fail it and are looked at a second time: they may carry an
error or a usage, and are skipped else. Items are treated alike: a new kind is skipped, only a known kind without its
fields is a fault.
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from beyond_wire.envelope import Envelope, Inner, decode_envelope, decode_usage
from beyond_wire.errors import BodyInvalid, ProviderError, SseBadJson
from beyond_wire.provider_errors import provider_error, raise_provider_error, why
from beyond_wire.responses_shapes import Answer, Details, Event, Item, Reasoning, Reply
from beyond_wire.usage import UsageFacts, openai_envelope_facts


class _Kind(msgspec.Struct, gc=False):
    type: Any = None


_event = msgspec.json.Decoder(Event)
_item = msgspec.json.Decoder(Item)
_kind = msgspec.json.Decoder(_Kind)
_raw = msgspec.json.Decoder(msgspec.Raw)
_answer = msgspec.json.Decoder(Answer)
_details = msgspec.json.Decoder(Details)


def read_event(data: str) -> Event | Envelope | None:
    """Event in `data`, the envelope of one whose kind is not known, None of what is no object.

    Raises `SseBadJson` or `ProviderError`.
    """
    try:
        event = _event.decode(data)
    except (ValueError, RecursionError) as error:
        return _read_other(data, error)
    if event.error is not None:
        raise_provider_error(data)
    return event


def read_item(raw: msgspec.Raw) -> Item | None:
    """Item in `raw`, None when it is of a kind that is skipped. A `ValueError` where a known kind lacks its fields."""
    try:
        item = _item.decode(raw)
    except msgspec.ValidationError:
        if _kind.decode(raw).type in _ITEMS:
            raise
        return None
    if isinstance(item, Reasoning):
        # Whole bodies come indented, streams do not; without the white space both give the same text.
        item.source = msgspec.json.format(bytes(raw), indent=-1).decode()
    return item


def read_streamed_item(raw: msgspec.Raw) -> Item | None:
    """Item in an event, as `read_item` reads it. Raises `SseBadJson`."""
    try:
        return read_item(raw)
    except (ValueError, RecursionError) as error:
        raise SseBadJson(why(error)) from error


def read_answer(body: bytes) -> tuple[Answer, list[Item | None]]:
    """Whole answer and its items, None for those that are skipped. Raises `ProviderError` or `BodyInvalid`."""
    try:
        answer = _answer.decode(body)
        if answer.status == "failed":
            raise failure(answer)
        raise_provider_error(body)
        if answer.status in _ANSWERED:
            return answer, [read_item(raw) for raw in answer.output]
    except (ValueError, RecursionError) as error:
        raise_provider_error(body)
        raise BodyInvalid(body, reason=why(error)) from error
    raise BodyInvalid(body, reason="a response that is not complete")


def whole_facts(usage: msgspec.Raw, reply: Reply) -> UsageFacts | None:
    """Usage of an event with `usage` at its root and `reply` inside, found where the gateway finds it."""
    inner = Inner(usage=decode_usage(reply.usage))
    return openai_envelope_facts(Envelope(usage=decode_usage(usage), response=inner))


def incomplete_reason(reply: Reply) -> object:
    """Provider's word for why the answer was ended early, None where it has none."""
    try:
        return _details.decode(reply.incomplete_details).reason
    except (ValueError, RecursionError):
        return None


def failure(reply: Reply) -> ProviderError:
    """Error of a failed response; its type is the provider's code (wire contract, Responses)."""
    found = provider_error(b'{"error":' + bytes(reply.error) + b"}")
    if found is None:
        return ProviderError(type="error", message="no message")
    return ProviderError(
        type=found.provider_code or found.type,
        message=found.message,
        provider_code=found.provider_code,
        retry_after=found.retry_after,
    )


def _read_other(data: str, misfit: Exception) -> Envelope | None:
    """Envelope of an event whose typed decode failed by `misfit`."""
    if not data.strip():
        return None
    try:
        _raw.decode(data)
    except (ValueError, RecursionError) as error:
        raise SseBadJson(why(error)) from error
    raise_provider_error(data)
    try:
        known = _kind.decode(data).type in _EVENTS
    except (ValueError, RecursionError):
        return None  # JSON, but no object
    if known:
        raise SseBadJson(why(misfit)) from misfit
    return decode_envelope(data.encode())


# Tuples: a kind or a status on the wire may be unhashable.
_EVENTS = tuple([one.__struct_config__.tag for one in get_args(Event)])
_ITEMS = tuple([one.__struct_config__.tag for one in get_args(Item)])
_ANSWERED = ("completed", "incomplete", None)
