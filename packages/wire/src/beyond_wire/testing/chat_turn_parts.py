"""One recorded answer of Chat Completions with its meaning, and short ways to write it down."""

from __future__ import annotations

from typing import Any

import msgspec

from beyond_wire.testing.anthropic_turn_parts import called, said
from beyond_wire.testing.fixture import DONE, Event, Fields, chat_usage, sse
from beyond_wire.testing.recorded import RecordedTurn
from beyond_wire.types import (
    ContentBlockStop,
    MessageStart,
    MessageStop,
    SignatureDelta,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    TokenUsage,
    usage_event,
)

__all__ = [
    "COUNTS",
    "HELLO",
    "HELLO_SAID",
    "OPEN",
    "answer",
    "call",
    "called",
    "chunk",
    "ended",
    "opening",
    "piece",
    "said",
    "stop",
    "thought",
    "turn",
]

MODEL = "gpt-4o"
USAGE = chat_usage(25, 15, cached=5)
COUNTS = TokenUsage(input_tokens=20, output_tokens=15, cache_read_tokens=5)
"""What `USAGE` means."""

_ROOT: Fields = {"id": "chatcmpl-B9MH", "created": 1741570283, "model": MODEL}


def chunk(finish: str | None = None, /, **delta: Any) -> Fields:
    """Return one chunk of a single choice."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**_ROOT, "object": "chat.completion.chunk", "choices": [choice]}


def piece(index: int, arguments: str | None = None, id: str | None = None, name: str | None = None) -> Fields:  # noqa: A002 - the wire's word
    """Return one piece of a tool call, as it stands in `tool_calls`."""
    function = {"name": name, "arguments": arguments}
    fields = {"id": id, "type": None if id is None else "function"}
    known = {key: value for key, value in fields.items() if value is not None}
    return {"index": index, **known, "function": {key: value for key, value in function.items() if value is not None}}


def opening(index: int, id: str, name: str, arguments: str = "") -> Fields:  # noqa: A002 - the wire's word
    """Return the chunk that opens a tool call."""
    return chunk(tool_calls=[piece(index, arguments, id, name)])


def call(id: str, name: str, arguments: str) -> Fields:  # noqa: A002 - the wire's word
    """Return one whole call, as it stands in a body."""
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def stop(finish: str = "stop", **delta: Any) -> tuple[Event, ...]:
    """Return the chunk with the finish reason, the chunk with the usage, and the end."""
    counted: Fields = {**_ROOT, "object": "chat.completion.chunk", "choices": [], "usage": USAGE}
    return chunk(finish, **delta), counted, DONE


def answer(finish: str | None = "stop", /, usage: Fields | None = USAGE, **message: Any) -> bytes:
    """Return a whole body."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "logprobs": None, "finish_reason": finish}
    return msgspec.json.encode({**_ROOT, "object": "chat.completion", "choices": [choice], "usage": usage})


def thought(index: int, *pieces: str, field: str = "reasoning_content") -> tuple[StreamEvent, ...]:
    """Events of a thinking block that came in `field`."""
    more = [ThinkingDelta(index=index, text=piece) for piece in pieces]
    return *more, SignatureDelta(index=index, signature=field), ContentBlockStop(index=index)


def ended(
    reason: StopReason = "end_turn", *, detail: str | None = None, usage: TokenUsage = COUNTS
) -> tuple[StreamEvent, ...]:
    """Events of the end."""
    return usage_event(usage), MessageStop(stop_reason=reason, detail=detail)


def turn(
    name: str,
    sent: tuple[Event, ...],
    events: tuple[StreamEvent, ...],
    *,
    body: bytes | None = None,
    fault: str | None = None,
) -> RecordedTurn:
    """Answer whose first chunk holds the role."""
    return RecordedTurn(name=name, stream=sse(OPEN, *sent), events=(MessageStart(), *events), body=body, fault=fault)


OPEN = chunk(role="assistant", content="", refusal=None)
HELLO = (chunk(content="Hello"), chunk(content="!"))
HELLO_SAID: tuple[StreamEvent, ...] = (
    TextDelta(index=0, text="Hello"),
    TextDelta(index=0, text="!"),
    ContentBlockStop(index=0),
)
