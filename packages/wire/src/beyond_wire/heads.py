"""What the kept beginning of a response tells: the model, and the input that Anthropic counts first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.envelope import Envelope, decode_envelope, model_of
from beyond_wire.events import envelope_at, events_in
from beyond_wire.json_scan import last_usage_object, model_in_fragment
from beyond_wire.usage import anthropic_facts

if TYPE_CHECKING:
    from beyond_wire.usage import UsageFacts

_BOM = b"\xef\xbb\xbf"


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
    first = envelope_at(text, start, start)
    model = None if first is None else model_of(first)
    if model is not None:
        return model
    for _, data in events_in(text):
        model = _model_of_object(data)
        if model is not None:
            return model
    return None


def start_in_head(head: bytes) -> UsageFacts | None:
    """Facts of the `message_start` in the beginning of an Anthropic stream, also when that event is cut off."""
    if head.find(b"message_start") < 0:
        return None
    for _, data in events_in(head):
        envelope = decode_envelope(data)
        if envelope is None and data.find(b'"message_start"') >= 0:
            return last_usage_object(data, anthropic_facts)
        if envelope is not None and envelope.type == "message_start":
            return start_facts(envelope)
    return None


def start_facts(envelope: Envelope) -> UsageFacts | None:
    """Facts of a `message_start`: input is exact, output only what was written by then."""
    return anthropic_facts(envelope.message.usage) if envelope.message is not None else None


def _model_of_object(text: bytes) -> str | None:
    envelope = decode_envelope(text)
    return model_in_fragment(text) if envelope is None else model_of(envelope)
