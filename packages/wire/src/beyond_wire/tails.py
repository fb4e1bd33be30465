"""What the kept ends of a response tell: usage, error events and the model, from bytes that may be cut anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from beyond_wire.envelope import Envelope, decode_envelope, model_of
from beyond_wire.json_scan import last_usage_object, model_in_fragment
from beyond_wire.usage import UsageFacts, anthropic_facts, openai_envelope_facts, openai_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beyond_wire.usage import Dialect

_USAGE_KEY = b'"usage"'
_CR = 0x0D
_LINE_ENDS = frozenset(b"\r\n")
_BOM = b"\xef\xbb\xbf"
_ERROR_EVENTS = frozenset({b"error", b"response.failed"})


def usage_from_tail(dialect: Dialect, tail: bytes, head: bytes = b"") -> UsageFacts | None:
    """Usage of a streamed answer, or None when no event in reach reports any in this dialect.

    `tail` is the end of the stream's bytes, `head` its beginning; they may overlap, and either may be all of it.
    OpenAI: the last event with usage. Anthropic: the last `message_delta` over earlier ones, over `message_start` from
    the tail or the head; with no `message_delta` in reach the answer was cut, and `output_tokens` is None, because what
    `message_start` says of output is only its beginning. Raises nothing, whatever the bytes.
    """
    if dialect == "openai":
        return _openai_usage(tail, head)
    return _anthropic_usage(tail, head)


def error_in_tail(tail: bytes) -> bool:
    """Whether a stream that began as a success carries an error event. Raises nothing.

    That is `event: error`, an object with a non-null `error` at its root or with `"type":"error"`, or
    `response.failed`. A null error inside a healthy Responses object is none, nor is the word in text.
    """
    if tail.rfind(b"error") < 0 and tail.rfind(b"response.failed") < 0:
        return False
    return any(_is_error(name, data) for name, data in _events(tail))


def model_from_head(head: bytes) -> str | None:
    """Name of the model that answered, from the first bytes of a body, streamed or whole, cut anywhere.

    Read at the root of an object, or under `message` or `response`. None when there is none in reach, or it is empty,
    not a string, or above 256 bytes. Raises nothing.
    """
    text = head.removeprefix(_BOM).lstrip()
    if text.startswith(b"{"):
        return _model_of_object(text)
    # Nearly always the first data line names it; framing all events is for the others.
    start = max(text.find(b"data:"), 0)
    first = _line_at(text, start, start)
    model = None if first is None else model_of(first)
    if model is not None:
        return model
    for _, data in _events(text):
        model = _model_of_object(data)
        if model is not None:
            return model
    return None


def _openai_usage(tail: bytes, head: bytes) -> UsageFacts | None:
    facts: UsageFacts | None = None
    for envelope in _newest_first(tail):
        found = openai_envelope_facts(envelope)
        facts = found if facts is None else facts.over(found)
        if facts is not None and facts.input_tokens is not None and facts.output_tokens is not None:
            return facts
    if _whole(tail, head):
        return facts
    cut_event = last_usage_object(_cut_event(tail), openai_facts)
    return cut_event if facts is None else facts.over(cut_event)


def _anthropic_usage(tail: bytes, head: bytes) -> UsageFacts | None:
    final: UsageFacts | None = None
    start: UsageFacts | None = None
    for envelope in _newest_first(tail):
        if envelope.type == "message_delta":
            found = anthropic_facts(envelope.usage)
            final = found if final is None else final.over(found)
        elif envelope.type == "message_start":
            start = _start_facts(envelope)
            break
    if start is None and not _whole(tail, head):
        cut_event = last_usage_object(_cut_event(tail), anthropic_facts)
        # Only a message_start is followed by content; a message_delta comes after all of it.
        if tail.rfind(b"content_block") < 0:
            final = cut_event if final is None else final.over(cut_event)
        else:
            start = cut_event
    if start is None and head:
        start = _start_in_head(head)
    if final is not None:
        return final.over(start)
    return None if start is None else _without_output(start)


def _newest_first(tail: bytes) -> Iterator[Envelope]:
    """Yield the events of `tail` that mention usage, from its end backwards.

    Nearly every event is one `data:` line, and only the last few matter. So the key is searched from the end, at the
    speed of memory, and just the line around a hit is decoded. The decode tells whether the key stands in a string or
    somewhere else in the object. Where the bytes around a hit are no such line (a multi-line event, a comment, CR line
    ends), all events are framed once and read again; a count seen twice changes nothing.
    """
    at = tail.rfind(_USAGE_KEY)
    while at >= 0:
        if tail.startswith(b":null", at + len(_USAGE_KEY)):
            at = tail.rfind(_USAGE_KEY, 0, at)
            continue
        start = tail.rfind(b"data:", 0, at)
        if start < 0:
            return
        envelope = _line_at(tail, start, at) if start == 0 or tail[start - 1] in _LINE_ENDS else None
        if envelope is None:
            yield from _framed_newest_first(tail)
            return
        yield envelope
        at = tail.rfind(_USAGE_KEY, 0, start)


def _line_at(text: bytes, start: int, inside: int) -> Envelope | None:
    """Decode the data line that starts at `start` and goes on at least to `inside`."""
    end = text.find(b"\n", inside)
    return decode_envelope(text[start + 5 : end] if end >= 0 else text[start + 5 :])


def _framed_newest_first(tail: bytes) -> Iterator[Envelope]:
    for _, data in reversed(list(_events(tail))):
        envelope = decode_envelope(data) if data.find(_USAGE_KEY) >= 0 else None
        if envelope is not None:
            yield envelope


def _events(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and joined data of each event. Unlike `SseParser` this never fails and decodes no text."""
    for block in _unix_lines(text.removeprefix(_BOM)).split(b"\n\n"):
        name = b""
        data: list[bytes] = []
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" "))
            elif field == b"event":
                name = value.removeprefix(b" ")
        if data:
            yield name, b"\n".join(data)


def _cut_event(tail: bytes) -> bytes:
    """Return what `tail` holds of an event whose beginning lies before it; empty when its first event is whole."""
    data: list[bytes] = []
    rest = b""
    for number, line in enumerate(_unix_lines(tail).split(b"\n")):
        if line.startswith(b"data:"):
            data.append(line[5:])
        elif not line and (data or rest):
            break
        elif number == 0:
            rest = line
    if data and decode_envelope(b"\n".join(data)) is not None:
        return b""
    return b"\n".join([rest, *data])


def _unix_lines(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if _CR in text else text


def _whole(tail: bytes, head: bytes) -> bool:
    """Whether `tail` is known to be the whole stream: it begins as the stream began."""
    return bool(head) and tail.startswith(head)


def _start_facts(envelope: Envelope) -> UsageFacts | None:
    return anthropic_facts(envelope.message.usage) if envelope.message is not None else None


def _start_in_head(head: bytes) -> UsageFacts | None:
    if head.find(b"message_start") < 0:
        return None
    for _, data in _events(head):
        envelope = decode_envelope(data)
        if envelope is None and data.find(b'"message_start"') >= 0:
            return last_usage_object(data, anthropic_facts)
        if envelope is not None and envelope.type == "message_start":
            return _start_facts(envelope)
    return None


def _without_output(start: UsageFacts) -> UsageFacts | None:
    known = msgspec.structs.replace(start, output_tokens=None, reasoning_tokens=None)
    return None if known == UsageFacts(wire="anthropic") else known


def _is_error(name: bytes, data: bytes) -> bool:
    if name in _ERROR_EVENTS:
        return True
    if data.find(b'"error"') < 0 and data.find(b"response.failed") < 0:
        return False
    envelope = decode_envelope(data)
    if envelope is None:
        return False
    groq = envelope.x_groq.error if envelope.x_groq is not None else None
    return envelope.error is not None or groq is not None or envelope.type in {"error", "response.failed"}


def _model_of_object(text: bytes) -> str | None:
    envelope = decode_envelope(text)
    return model_in_fragment(text) if envelope is None else model_of(envelope)
