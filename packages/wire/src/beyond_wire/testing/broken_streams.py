"""Streams that carry an error, or that speak another dialect than the one they are read in."""

from __future__ import annotations

from beyond_wire.testing import anthropic_streams as messages
from beyond_wire.testing.fixture import DONE, Stream, chat_usage, chunk, named, openai, responses_usage, sse

GPT = "gpt-4o-2024-08-06"
_FAULT = {"error": {"message": "The server had an error", "type": "server_error", "param": None, "code": None}}
_THREE = (chunk(GPT, "a"), chunk(GPT, "b"), chunk(GPT, "c"))
_MESSAGES = sse(
    messages.start(input_tokens=25, output_tokens=1),
    messages.text("Hi"),
    messages.final(output_tokens=15),
    messages.STOP,
)
_RESPONSE = {"object": "response", "model": GPT, "usage": responses_usage(3, 4)}

BROKEN_STREAMS: tuple[Stream, ...] = (
    Stream(name="error-object-in-the-middle", dialect="openai", body=sse(*_THREE, _FAULT), model=GPT, error=True),
    Stream(
        name="error-object-then-more",
        dialect="openai",
        body=sse(*_THREE, _FAULT, chunk(GPT, choices=[], usage=chat_usage(5, 3)), DONE),
        model=GPT,
        usage=openai(5, 3, 0, 0),
        error=True,
    ),
    Stream(
        name="error-openrouter-beside-choices",
        dialect="openai",
        body=sse(*_THREE, chunk(GPT, error={"code": 502, "message": "Provider disconnected"}), DONE),
        model=GPT,
        error=True,
    ),
    Stream(name="error-text", dialect="openai", body=sse(*_THREE, {"error": "overloaded"}), model=GPT, error=True),
    Stream(
        name="error-named-event", dialect="openai", body=sse(*_THREE, ("error", {"code": 500})), model=GPT, error=True
    ),
    Stream(
        name="error-named-event-crlf-not-json",
        dialect="openai",
        body=sse(*_THREE, "event: error\ndata: upstream gone").replace(b"\n", b"\r\n"),
        model=GPT,
        error=True,
    ),
    Stream(
        name="error-groq",
        dialect="openai",
        body=sse(*_THREE, chunk(GPT, x_groq={"id": "req_01", "error": "over capacity"}), DONE),
        model=GPT,
        error=True,
    ),
    Stream(name="error-null-is-none", dialect="openai", body=sse(*_THREE, chunk(GPT, error=None), DONE), model=GPT),
    Stream(
        name="error-only-in-text", dialect="openai", body=sse(chunk(GPT, '{"error":{}} event: error'), DONE), model=GPT
    ),
    Stream(name="cross-messages-read-as-openai", dialect="openai", body=_MESSAGES, model=messages.CLAUDE),
    Stream(
        name="cross-chat-read-as-anthropic",
        dialect="anthropic",
        body=sse(*_THREE, chunk(GPT, choices=[], usage=chat_usage(5, 3)), DONE),
        model=GPT,
    ),
    Stream(
        name="cross-responses-read-as-anthropic",
        dialect="anthropic",
        body=sse(named({"type": "response.completed", "response": _RESPONSE})),
        model=GPT,
    ),
)
