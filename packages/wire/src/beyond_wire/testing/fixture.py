"""One recorded answer as data, and short ways to write it down."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from beyond_wire.usage import Family, UsageFacts

Fields: TypeAlias = dict[str, Any]
Event: TypeAlias = Fields | tuple[str, Fields] | str
"""An event's JSON object, a name with its object, or a literal block of lines such as `data: [DONE]`."""

DONE = "data: [DONE]"


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One answer's body in the shape its provider sends, and what metering must read from it.

    `dialect` is the one it is read in. `body` is all of it, streamed (`sse`) or a JSON answer. `usage` and `model` are
    None where nothing may be read. `error` tells whether a stream carries an error event; it is false for JSON bodies.
    """

    name: str
    dialect: Family
    body: bytes
    sse: bool = True
    usage: UsageFacts | None = None
    model: str | None = None
    error: bool = False


def sse(*events: Event) -> bytes:
    """Return events as a stream with LF line ends, each closed by a blank line."""
    return b"".join(_block(event) + b"\n\n" for event in events)


def _block(event: Event) -> bytes:
    if isinstance(event, str):
        return event.encode()
    if isinstance(event, tuple):
        return b"event: " + event[0].encode() + b"\ndata: " + msgspec.json.encode(event[1])
    return b"data: " + msgspec.json.encode(event)


def named(event: Fields) -> tuple[str, Fields]:
    """Return an event under the name in its own `type`, as Anthropic and Responses send it."""
    return event["type"], event


def openai(
    inputs: int | None = None, outputs: int | None = None, cached: int | None = None, reasoning: int | None = None
) -> UsageFacts:
    """Facts of an OpenAI answer."""
    return UsageFacts(
        input_tokens=inputs, output_tokens=outputs, cache_read_tokens=cached, reasoning_tokens=reasoning, wire="openai"
    )


def chat_usage(prompt: int, completion: int, *, cached: int = 0, reasoning: int = 0, **more: Any) -> Fields:
    """Return a Chat usage object with OpenAI's details; `more` adds or replaces fields."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0},
        **more,
    }


def responses_usage(inputs: int, outputs: int, *, cached: int = 0, reasoning: int = 0) -> Fields:
    """Return a Responses usage object."""
    return {
        "input_tokens": inputs,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": outputs,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": inputs + outputs,
    }


def chunk(model: str, content: str | None = None, **more: Any) -> Fields:
    """Return one Chat chunk: a content delta, or none; `more` adds or replaces fields of the root."""
    delta = {} if content is None else {"content": content}
    return {
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion.chunk",
        "created": 1741570283,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None if content else "stop"}],
        **more,
    }
