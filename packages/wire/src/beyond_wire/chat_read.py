"""Chat Completions' JSON read into its shapes.

One typed decode turns an event's text into a struct, with nothing built for what is not read. It refuses an object as a
whole when one field has another type, so a refused event is looked at a second time, field by field: an odd count does
not hide the other counts, JSON that is no chunk is skipped, and only a choice without a meaning is a fault.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from beyond_wire.chat_shapes import Answer, Choice, Chunk, PlainChoice, TextChunk, WholeChoice
from beyond_wire.envelope import Choice as EnvelopeChoice
from beyond_wire.envelope import Envelope, decode_envelope
from beyond_wire.errors import BodyInvalid, SseBadJson
from beyond_wire.provider_errors import raise_provider_error, why
from beyond_wire.usage import UsageFacts, openai_envelope_facts

_T = TypeVar("_T")

DONE = "[DONE]"
"""Data of the event that ends a stream; it is no JSON (wire contract, SSE framing)."""

_text_chunk = msgspec.json.Decoder(TextChunk)
_chunk = msgspec.json.Decoder(Chunk)
_anything = msgspec.json.Decoder(Any)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_choices = msgspec.json.Decoder(list[PlainChoice] | None)
_answer = msgspec.json.Decoder(Answer)
_NULL = msgspec.Raw(b"null")


def read_chunk(data: str) -> Chunk | None:
    """Chunk in `data`, None when it is JSON of another kind or blank. Raises `SseBadJson` or `ProviderError`."""
    try:
        chunk = _chunk.decode(data)
    except (ValueError, RecursionError) as error:
        chunk = _read_by_field(data, error)
    else:
        if chunk.error is not None or chunk.type is not None:
            raise_provider_error(data)
    if chunk is not None and chunk.x_groq is not None and chunk.x_groq.error is not None:
        _raise_nested_error(chunk.x_groq.error)
    return chunk


def read_text(data: str) -> str | None:
    """Text of a chunk that holds nothing else that counts; None where it does, or is no such chunk."""
    try:
        chunk = _text_chunk.decode(data)
    except (ValueError, RecursionError):
        return None
    return chunk.choices[0].delta.content if chunk.usage is None else None


def chunk_facts(chunk: Chunk) -> UsageFacts | None:
    """Usage that a chunk reports, found where the gateway finds it."""
    choices = chunk.choices
    first = choices[0].usage if choices else None
    if chunk.usage is None and first is None and chunk.x_groq is None:
        return None
    held = [EnvelopeChoice(usage=first)]
    return openai_envelope_facts(Envelope(type=chunk.type, usage=chunk.usage, choices=held, x_groq=chunk.x_groq))


def read_answer(body: bytes) -> tuple[WholeChoice, UsageFacts | None]:
    """First choice of a whole answer and its usage. Raises `ProviderError` or `BodyInvalid`."""
    raise_provider_error(body)
    envelope = decode_envelope(body)
    if envelope is not None and envelope.x_groq is not None and envelope.x_groq.error is not None:
        _raise_nested_error(envelope.x_groq.error)
    try:
        answer = _answer.decode(body)
    except (ValueError, RecursionError) as error:
        raise BodyInvalid(body, reason=why(error)) from error
    for choice in answer.choices:
        if not choice.index:
            return choice, None if envelope is None else openai_envelope_facts(envelope)
    raise BodyInvalid(body, reason="no choice")


def _read_by_field(data: str, misfit: Exception) -> Chunk | None:
    """Chunk whose typed decode failed by `misfit`."""
    if not data.strip():
        return None
    fields = _decoded(_fields, data)
    if fields is None:
        # No object: the decoder stopped at the first character, and whether the rest is JSON is not known yet.
        _decoded(_anything, data)
        return None
    raise_provider_error(data)
    try:
        plain = _choices.decode(fields.get("choices", _NULL))
    except (ValueError, RecursionError):
        raise SseBadJson(why(misfit)) from misfit
    envelope = decode_envelope(data.encode()) or Envelope()
    usage = envelope.choices[0].usage if envelope.choices else None
    choices = None
    if plain is not None:
        choices = [Choice(index=one.index, delta=one.delta, finish_reason=one.finish_reason) for one in plain]
        if choices:
            choices[0].usage = usage
    return Chunk(choices=choices, usage=envelope.usage, type=envelope.type, x_groq=envelope.x_groq)


def _decoded(decoder: msgspec.json.Decoder[_T], data: str) -> _T | None:
    """Return what `data` is, None where it is JSON of another type. Raises `SseBadJson` where it is none."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError:
        return None
    except (ValueError, RecursionError) as error:
        raise SseBadJson(why(error)) from error


def _raise_nested_error(error: object) -> None:
    raise_provider_error(msgspec.json.encode({"error": error}))
