"""Short ways to write down an Anthropic answer: what is sent, and the events it means."""

from __future__ import annotations

from typing import Any

import msgspec

from beyond_wire.testing.anthropic_streams import CLAUDE, OPEN, start, text
from beyond_wire.testing.fixture import Event, Fields, named, sse
from beyond_wire.testing.recorded import RecordedTurn
from beyond_wire.types import (
    ContentBlockStop,
    InputJsonDelta,
    MessageStart,
    MessageStop,
    StopReason,
    StreamEvent,
    TextDelta,
    TokenUsage,
    ToolUseStart,
    usage_event,
)


def block(index: int, **fields: Any) -> Event:
    """Return a content_block_start."""
    return named({"type": "content_block_start", "index": index, "content_block": fields})


def delta(index: int, **fields: Any) -> Event:
    """Return a content_block_delta."""
    return named({"type": "content_block_delta", "index": index, "delta": fields})


def close(index: int) -> Event:
    """Return a content_block_stop."""
    return named({"type": "content_block_stop", "index": index})


def end(reason: str | None = "end_turn", outputs: int = 15, *, details: Any = None, **usage: Any) -> Event:
    """Return a message_delta."""
    stop: Fields = {"stop_reason": reason, "stop_sequence": None}
    if details is not None:
        stop["stop_details"] = details
    return named({"type": "message_delta", "delta": stop, "usage": {"output_tokens": outputs, **usage}})


def call(index: int, id: str, name: str, *pieces: str) -> tuple[Event, ...]:  # noqa: A002 - the wire's word
    """Return a whole tool call."""
    opened = block(index, type="tool_use", id=id, name=name, input={})
    return opened, *[delta(index, type="input_json_delta", partial_json=piece) for piece in pieces], close(index)


def answer(*content: Fields, reason: str | None = "end_turn", outputs: int = 15, **more: Any) -> bytes:
    """Return a whole body; `more` adds fields to its root."""
    body: Fields = {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": CLAUDE,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 25, "output_tokens": outputs},
        **more,
    }
    return msgspec.json.encode(body)


def said(index: int, *pieces: str) -> tuple[StreamEvent, ...]:
    """Events of a text block."""
    return *[TextDelta(index=index, text=piece) for piece in pieces], ContentBlockStop(index=index)


def called(index: int, id: str, name: str, *pieces: str) -> tuple[StreamEvent, ...]:  # noqa: A002 - the wire's word
    """Events of a tool call."""
    more = [InputJsonDelta(index=index, partial_json=piece) for piece in pieces]
    return ToolUseStart(index=index, id=id, name=name), *more, ContentBlockStop(index=index)


def ended(
    reason: StopReason = "end_turn",
    outputs: int = 15,
    *,
    detail: str | None = None,
    usage: TokenUsage | None = None,
) -> tuple[StreamEvent, ...]:
    """Events of the end; 25 tokens of input unless `usage` says otherwise."""
    counts = usage_event(usage or TokenUsage(input_tokens=25, output_tokens=outputs))
    return counts, MessageStop(stop_reason=reason, detail=detail)


def turn(
    name: str,
    sent: tuple[Event, ...],
    events: tuple[StreamEvent, ...],
    *,
    body: bytes | None = None,
    fault: str | None = None,
) -> RecordedTurn:
    """Answer that opens with a message_start, which counts 25 tokens of input."""
    stream = sse(start(input_tokens=25, output_tokens=1), *sent)
    return RecordedTurn(name=name, stream=stream, events=(MessageStart(), *events), body=body, fault=fault)


CLOSE = close(0)
HELLO = (OPEN, text("Hello"), text("!"), CLOSE)
HELLO_SAID = said(0, "Hello", "!")
HELLO_BLOCK: Fields = {"type": "text", "text": "Hello!"}
