"""Anthropic's JSON read into its shapes.

One typed decode turns an event's text into the struct of its kind, with nothing built for what is not read. It refuses
an object as a whole when one part has an unknown kind, so a refused event is looked at a second time, field by field:
new kinds of events, blocks and deltas are skipped, an odd count does not hide the other counts, and only a known kind
without its fields is a fault.
"""

from __future__ import annotations

from typing import Any

import msgspec

from beyond_wire.anthropic_shapes import Answer, Block, Ended, Event, Opened, Start, Started, Stop
from beyond_wire.envelope import decode_envelope
from beyond_wire.errors import BodyInvalid, SseBadJson
from beyond_wire.provider_errors import raise_provider_error, why


class _Kind(msgspec.Struct, gc=False):
    type: Any = None


_event = msgspec.json.Decoder(Event)
_json = msgspec.json.Decoder(msgspec.Raw)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_index = msgspec.json.Decoder(int)
_stop = msgspec.json.Decoder(Stop | None)
_answer = msgspec.json.Decoder(Answer)
_block = msgspec.json.Decoder(Block)
_kind = msgspec.json.Decoder(_Kind)
_EMPTY = msgspec.Raw(b"{}")
_NULL = msgspec.Raw(b"null")
_BLOCKS = ("text", "thinking", "redacted_thinking", "tool_use")  # tuples: a kind on the wire may be unhashable
_KNOWN = ("content_block_delta", "content_block_stop", "message_stop", "ping")
_DELTAS = ("text_delta", "thinking_delta", "signature_delta", "input_json_delta", "citations_delta")


decode_event = _event.decode
"""Reads the event in a text, nearly always; raises `ValueError` or `RecursionError` where `read_misfit` has to look."""


def read_misfit(data: str, misfit: Exception) -> Event | None:
    """Event that `decode_event` refused by `misfit`, None when it is of a kind that is skipped, or no JSON by rule.

    Raises `SseBadJson` or `ProviderError`.
    """
    return None if data == "[DONE]" else _read_by_field(data, misfit)


def read_answer(body: bytes) -> tuple[Stop, list[Block]]:
    """Stop and blocks of a whole message, unknown kinds left out. Raises `ProviderError` or `BodyInvalid`."""
    raise_provider_error(body)
    try:
        # As text: bytes that are kept undecoded, such as a call's input, would not be checked to be UTF-8.
        answer = _answer.decode(body.decode())
        return answer, [block for raw in answer.content if (block := _read_block(raw)) is not None]
    except (ValueError, RecursionError) as error:
        raise BodyInvalid(body, reason=why(error)) from error


def _read_block(raw: msgspec.Raw) -> Block | None:
    try:
        return _block.decode(raw)
    except msgspec.ValidationError:
        if _kind.decode(raw).type in _BLOCKS:
            raise
        return None


def _read_by_field(data: str, misfit: Exception) -> Event | None:
    """Event whose typed decode failed by `misfit`."""
    if not data.strip():
        return None
    try:
        _json.decode(data)  # a misfit is noticed before the rest of the text is looked at
        fields = _fields.decode(data)
        kind = _kind.decode(data).type
    except msgspec.ValidationError:
        return None  # JSON, but no object
    except (ValueError, RecursionError) as error:
        raise SseBadJson(why(error)) from error
    raise_provider_error(data)
    try:
        return _read_known(kind, data, fields)
    except (ValueError, RecursionError):
        raise SseBadJson(why(misfit)) from misfit


def _read_known(kind: object, data: str, fields: dict[str, msgspec.Raw]) -> Event | None:
    """Event of this kind as far as its parts fit; a `ValueError` where they do not."""
    if kind == "message_start":
        envelope = decode_envelope(data.encode())
        inner = None if envelope is None else envelope.message
        return Started(message=None if inner is None else Start(usage=inner.usage))
    if kind == "message_delta":
        envelope = decode_envelope(data.encode())
        stop = _stop.decode(fields.get("delta", _EMPTY))
        return Ended(delta=stop, usage=None if envelope is None else envelope.usage)
    if kind == "content_block_start":
        block = _read_block(fields.get("content_block", _EMPTY))
        return Opened(index=_index.decode(fields.get("index", _NULL)), content_block=block)
    if kind == "content_block_delta" and _kind.decode(fields.get("delta", _EMPTY)).type not in _DELTAS:
        return None
    if kind in _KNOWN:
        raise ValueError(kind)
    return None
