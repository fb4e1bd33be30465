"""What the kept end of a response tells: its usage, and whether it failed."""

from __future__ import annotations

import msgspec

from beyond_wire.envelope import decode_envelope
from beyond_wire.events import cut_event, events_in, newest_with_usage
from beyond_wire.heads import start_facts, start_in_head
from beyond_wire.json_scan import last_usage_object
from beyond_wire.usage import Family, UsageFacts, anthropic_facts, openai_envelope_facts, openai_facts

_ANTHROPIC_MARKS = (b'"message_stop"', b'"content_block_')
_ERROR_EVENTS = (b"error", b"response.failed")
_ERROR_TYPES = ("error", "response.failed")  # a tuple: the type on the wire may be unhashable


def usage_from_tail(dialect: Family, tail: bytes, head: bytes = b"") -> UsageFacts | None:
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
    return any(_is_error(name, data) for name, data in events_in(tail))


def _openai_usage(tail: bytes, head: bytes) -> UsageFacts | None:
    facts: UsageFacts | None = None
    for envelope in newest_with_usage(tail):
        found = openai_envelope_facts(envelope)
        facts = found if facts is None else facts.over(found)
        if facts is not None and facts.input_tokens is not None and facts.output_tokens is not None:
            return facts
    rest = b"" if _whole(tail, head) else cut_event(tail)
    if not rest or any(tail.rfind(mark, len(rest)) >= 0 for mark in _ANTHROPIC_MARKS):
        return facts  # the counts of an Anthropic event would mean something else
    partial = last_usage_object(rest, openai_facts)
    return partial if facts is None else facts.over(partial)


def _anthropic_usage(tail: bytes, head: bytes) -> UsageFacts | None:
    final: UsageFacts | None = None
    start: UsageFacts | None = None
    for envelope in newest_with_usage(tail):
        if envelope.type == "message_delta":
            found = anthropic_facts(envelope.usage)
            final = found if final is None else final.over(found)
        elif envelope.type == "message_start":
            start = start_facts(envelope)
            break
    if start is None:
        start = start_in_head(head)
    rest = b"" if _whole(tail, head) else cut_event(tail)
    if rest:
        partial = last_usage_object(rest, anthropic_facts)
        # Only a message_start is followed by content; a message_delta comes after all of it.
        if tail.rfind(b"content_block", len(rest)) < 0:
            final = partial if final is None else final.over(partial)
        else:
            start = partial if start is None else start
    if final is not None:
        return final.over(start)
    return None if start is None else _without_output(start)


def _whole(tail: bytes, head: bytes) -> bool:
    """Whether `tail` is known to be the whole stream: it begins as the stream began."""
    return bool(head) and tail.startswith(head)


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
    return envelope.error is not None or groq is not None or envelope.type in _ERROR_TYPES
