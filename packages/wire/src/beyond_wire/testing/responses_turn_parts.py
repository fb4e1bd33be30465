"""Short ways to write down a Responses answer: what is sent, and the events it means."""

from __future__ import annotations

from typing import Any

import msgspec

from beyond_wire.testing.fixture import Fields, named, responses_usage, sse
from beyond_wire.testing.recorded import RecordedTurn
from beyond_wire.types import (
    ContentBlockStop,
    InputJsonDelta,
    InputJsonFinal,
    MessageStart,
    MessageStop,
    SignatureDelta,
    StopReason,
    StreamEvent,
    TextDelta,
    TextFinal,
    ThinkingDelta,
    TokenUsage,
    ToolUseStart,
    usage_event,
)

GPT5 = "gpt-5.1-2025-11-13"
USAGE = responses_usage(37, 11, cached=5, reasoning=2)
COUNTED = TokenUsage(input_tokens=32, output_tokens=11, cache_read_tokens=5, reasoning_tokens=2)
"""What `USAGE` counts."""


def part(text: str, kind: str = "output_text") -> Fields:
    """Return one part of a message, a summary or reasoning."""
    if kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": kind, "text": text, **({"annotations": [], "logprobs": []} if kind == "output_text" else {})}


def message(*content: Fields, **more: Any) -> Fields:
    """Return a message item."""
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": content, **more}


def call(arguments: str, **more: Any) -> Fields:
    """Return a call item."""
    fields = {"id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": arguments, "status": "completed"}
    return {"type": "function_call", **fields, **more}


def reasoning(*summary: str, **more: Any) -> Fields:
    """Return a reasoning item."""
    return {"id": "rs_1", "type": "reasoning", "summary": [part(one, "summary_text") for one in summary], **more}


def _event(kind: str, at: int, **more: Any) -> Fields:
    return {"type": f"response.{kind}", "output_index": at, **more}


def added(at: int, item: Fields) -> Fields:
    """Return an output_item.added; what the item holds is cleared, as it comes later."""
    empty = {key: type(value)() for key, value in item.items() if key in {"content", "arguments", "summary"}}
    return _event("output_item.added", at, item={**item, **empty, "status": "in_progress"})


def done(at: int, item: Fields) -> Fields:
    """Return an output_item.done."""
    return _event("output_item.done", at, item=item)


def text(at: int, delta: str, content_index: int = 0) -> Fields:
    """Return a delta of text."""
    more: Fields = {"item_id": "msg_1", "content_index": content_index, "delta": delta, "logprobs": []}
    return _event("output_text.delta", at, **more)


def refusal(at: int, delta: str) -> Fields:
    """Return a delta of a refusal."""
    return _event("refusal.delta", at, item_id="msg_1", content_index=0, delta=delta)


def arguments(at: int, delta: str) -> Fields:
    """Return a delta of arguments."""
    return _event("function_call_arguments.delta", at, item_id="fc_1", delta=delta)


def arguments_done(at: int, whole: str) -> Fields:
    """Return the whole arguments."""
    return _event("function_call_arguments.done", at, item_id="fc_1", arguments=whole)


def summary(at: int, delta: str, number: int = 0) -> Fields:
    """Return a delta of a summary."""
    return _event("reasoning_summary_text.delta", at, item_id="rs_1", summary_index=number, delta=delta)


def summary_done(at: int, whole: str, number: int = 0) -> Fields:
    """Return the end of a summary's part."""
    more = {"item_id": "rs_1", "summary_index": number, "part": part(whole, "summary_text")}
    return _event("reasoning_summary_part.done", at, **more)


def thought(at: int, delta: str) -> Fields:
    """Return a delta of shown reasoning."""
    return _event("reasoning_text.delta", at, item_id="rs_1", content_index=0, delta=delta)


def response(status: str, *output: Fields, **more: Any) -> Fields:
    """Return a response; `more` adds or replaces fields."""
    fixed = {"id": "resp_67ccd2be", "object": "response", "status": status, "error": None, "model": GPT5}
    return {**fixed, "output": output, "usage": None, **more}


def whole(status: str, *output: Fields, **more: Any) -> Fields:
    """Return an event with a whole response."""
    return {"type": f"response.{status}", "response": response(status, *output, **more)}


CREATED = {"type": "response.created", "response": response("in_progress")}


def stream(*events: Fields | str) -> bytes:
    """Return events under their names, numbered as the API does it."""
    return sse(
        *[
            event if isinstance(event, str) else named({**event, "sequence_number": number})
            for number, event in enumerate(events)
        ]
    )


def turn(
    name: str,
    sent: tuple[Fields | str, ...],
    events: tuple[StreamEvent, ...],
    *output: Fields,
    status: str = "completed",
    odd: bool = False,
    paired: bool = True,
    **more: Any,
) -> RecordedTurn:
    """Answer that opens with a created event and ends with a whole response of `output`, and its body if `paired`."""
    more = {"usage": USAGE, **more}
    return RecordedTurn(
        name=name,
        stream=stream(CREATED, *sent, whole(status, *output, **more)),
        events=(MessageStart(), *events),
        body=msgspec.json.format(msgspec.json.encode(response(status, *output, **more))) if paired else None,
        odd=odd,
    )


def faulty(name: str, sent: tuple[Fields | str, ...], events: tuple[StreamEvent, ...], fault: str) -> RecordedTurn:
    """Answer that opens with a created event and ends in a fault."""
    sent_all = stream(CREATED, *sent)
    return RecordedTurn(name=name, stream=sent_all, events=(MessageStart(), *events), fault=fault, odd=True)


def said(index: int, *pieces: str, final: str | None = None, **more: Any) -> tuple[StreamEvent, ...]:
    """Events of a text block whose final text is that of its pieces, or `final`."""
    more.setdefault("id", "msg_1")
    told = TextFinal(index=index, text="".join(pieces) if final is None else final, **more)
    return *[TextDelta(index=index, text=piece) for piece in pieces], told, ContentBlockStop(index=index)


def called(index: int, *pieces: str, id: str = "call_1|fc_1", finals: int = 2) -> tuple[StreamEvent, ...]:  # noqa: A002 - the wire's word
    """Events of a call of `weather`, whose whole arguments are told `finals` times."""
    return (
        ToolUseStart(index=index, id=id, name="weather"),
        *[InputJsonDelta(index=index, partial_json=piece) for piece in pieces],
        *[InputJsonFinal(index=index, full_json="".join(pieces))] * finals,
        ContentBlockStop(index=index),
    )


def thinks(index: int, item: Fields, *pieces: str) -> tuple[StreamEvent, ...]:
    """Events of a thinking block that is signed with `item`."""
    return (
        *[ThinkingDelta(index=index, text=piece) for piece in pieces],
        SignatureDelta(index=index, signature=msgspec.json.encode(item).decode()),
        ContentBlockStop(index=index),
    )


def ended(reason: StopReason = "end_turn", usage: TokenUsage = COUNTED) -> tuple[StreamEvent, ...]:
    """Events of the end."""
    return usage_event(usage), MessageStop(stop_reason=reason)


HELLO_ITEM = message(part("Hello!"))
HELLO = (added(0, HELLO_ITEM), text(0, "Hello"), text(0, "!"), done(0, HELLO_ITEM))
HELLO_SAID = said(0, "Hello", "!")
