"""Streams of Anthropic Messages."""

from __future__ import annotations

from typing import Any

from beyond_wire.testing.fixture import Event, Fields, Stream, named, sse
from beyond_wire.usage import UsageFacts

CLAUDE = "claude-sonnet-4-5-20250929"


def anthropic(  # noqa: PLR0917 the six counts in their usual order
    inputs: int | None = None,
    outputs: int | None = None,
    read: int | None = None,
    written: int | None = None,
    written_1h: int | None = None,
    reasoning: int | None = None,
) -> UsageFacts:
    """Facts of an Anthropic answer."""
    return UsageFacts(
        input_tokens=inputs,
        output_tokens=outputs,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=written_1h,
        reasoning_tokens=reasoning,
        wire="anthropic",
    )


def _messages(name: str, *events: Event, usage: UsageFacts | None = None, error: bool = False) -> Stream:
    return Stream(name=name, dialect="anthropic", body=sse(*events), model=CLAUDE, usage=usage, error=error)


def start(**usage: Any) -> Event:
    """Return a message_start."""
    message: Fields = {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": CLAUDE,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    return named({"type": "message_start", "message": message})


def text(words: str) -> Event:
    """Return one text delta."""
    return named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}})


def final(**usage: Any) -> Event:
    """Return a message_delta."""
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    return named({"type": "message_delta", "delta": delta, "usage": usage})


OPEN = named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
CLOSE = named({"type": "content_block_stop", "index": 0})
PING = named({"type": "ping"})
STOP = named({"type": "message_stop"})
_CACHE = {"cache_creation_input_tokens": 300, "cache_read_input_tokens": 2000}
_1H = {"cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200}}
_OVERLOADED = named({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
_TOLD = 'data: {"type":"message_delta","usage":{"output_tokens":999}}\n\n'
_CLASSIC = (start(input_tokens=25, output_tokens=1), OPEN, PING, text("Hello"), text("!"), CLOSE)

ANTHROPIC_STREAMS: tuple[Stream, ...] = (
    _messages("anthropic-output-only-delta", *_CLASSIC, final(output_tokens=15), STOP, usage=anthropic(25, 15)),
    _messages(
        "anthropic-cumulative-delta",
        start(input_tokens=25, output_tokens=1, service_tier="standard", **_CACHE, **_1H),
        OPEN,
        text("Hi"),
        CLOSE,
        final(input_tokens=25, output_tokens=15, **_CACHE),
        STOP,
        usage=anthropic(25, 15, 2000, 300, 200),
    ),
    _messages(
        "anthropic-server-tool-raises-input",
        start(input_tokens=25, output_tokens=1, cache_read_input_tokens=0, cache_creation_input_tokens=0),
        text("Hi"),
        final(input_tokens=10_682, output_tokens=510, server_tool_use={"web_search_requests": 1}),
        STOP,
        usage=anthropic(10_682, 510, 0, 0),
    ),
    _messages(
        "anthropic-thinking-tokens",
        start(input_tokens=25, output_tokens=1),
        named({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}),
        final(output_tokens=90, output_tokens_details={"thinking_tokens": 70}),
        STOP,
        usage=anthropic(25, 90, reasoning=70),
    ),
    _messages(
        "anthropic-two-message-deltas",
        start(input_tokens=0, output_tokens=0),
        text("Hi"),
        final(input_tokens=40, output_tokens=5, cache_read_input_tokens=7),
        final(output_tokens=9),
        STOP,
        usage=anthropic(40, 9, 7),
    ),
    _messages(
        "anthropic-delta-null-counts",
        *_CLASSIC,
        final(input_tokens=None, output_tokens=15),
        STOP,
        usage=anthropic(25, 15),
    ),
    _messages("anthropic-cut-before-message-delta", *_CLASSIC, usage=anthropic(25)),
    _messages("anthropic-overloaded-in-the-middle", *_CLASSIC[:-1], _OVERLOADED, usage=anthropic(25), error=True),
    _messages("anthropic-no-message-stop", *_CLASSIC, final(output_tokens=15), usage=anthropic(25, 15)),
    _messages(
        "anthropic-text-quotes-a-delta", *_CLASSIC, text(_TOLD), final(output_tokens=15), usage=anthropic(25, 15)
    ),
    _messages("anthropic-text-quotes-a-delta-then-cut", *_CLASSIC, text(_TOLD), usage=anthropic(25)),
    _messages(
        "anthropic-text-says-error",
        *_CLASSIC,
        text('"error": event: error'),
        final(output_tokens=15),
        usage=anthropic(25, 15),
    ),
    _messages(
        "anthropic-longer-than-the-tail",
        start(input_tokens=25, output_tokens=1, **_CACHE, **_1H),
        *[text("some words ")] * 1_000,
        final(output_tokens=3_000),
        STOP,
        usage=anthropic(25, 3_000, 2000, 300, 200),
    ),
    _messages(
        "anthropic-longer-than-the-tail-then-cut",
        start(input_tokens=25, output_tokens=1, **_CACHE),
        *[text("some words ")] * 1_000,
        usage=anthropic(25, None, 2000, 300),
    ),
    Stream(
        name="anthropic-crlf",
        dialect="anthropic",
        body=sse(*_CLASSIC, ": ping", final(output_tokens=15), STOP).replace(b"\n", b"\r\n"),
        model=CLAUDE,
        usage=anthropic(25, 15),
    ),
)
