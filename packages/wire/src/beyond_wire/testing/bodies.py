"""JSON answers that are not streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from beyond_wire.testing.anthropic_streams import CLAUDE, anthropic
from beyond_wire.testing.fixture import Fields, Stream, chat_usage, openai, responses_usage

if TYPE_CHECKING:
    from beyond_wire.usage import Family, UsageFacts

GPT = "gpt-4o-2024-08-06"
_TOLD = '{"usage":{"prompt_tokens":1,"completion_tokens":1,"input_tokens":1,"output_tokens":1}}'


def _body(
    name: str,
    body: Fields | bytes,
    usage: UsageFacts | None = None,
    *,
    model: str | None = GPT,
    dialect: Family = "openai",
) -> Stream:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Stream(name=name, dialect=dialect, body=raw, sse=False, usage=usage, model=model)


def _chat(content: str = "Hi", **more: Any) -> Fields:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": GPT, "choices": [choice], **more}


def _response(text: str = "Hi", **more: Any) -> Fields:
    output = [{"type": "message", "content": [{"type": "output_text", "text": text}]}]
    return {"id": "resp_1", "object": "response", "error": None, "model": GPT, "output": output, **more}


def _message(text: str = "Hi", **usage: Any) -> Fields:
    content = [{"type": "text", "text": text}]
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": CLAUDE, "content": content, "usage": usage}


_CACHED: Fields = {
    "input_tokens": 2095,
    "output_tokens": 503,
    "cache_creation_input_tokens": 248,
    "cache_read_input_tokens": 1800,
    "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
    "service_tier": "standard",
}

BODIES: tuple[Stream, ...] = (
    _body("body-chat", _chat(usage=chat_usage(19, 10, cached=4, reasoning=3)), openai(19, 10, 4, 3)),
    _body("body-chat-xai", _chat(usage=chat_usage(32, 9, reasoning=300, total_tokens=341)), openai(32, 309, 0, 300)),
    _body(
        "body-chat-deepseek",
        _chat(usage={"prompt_tokens": 120, "completion_tokens": 9, "prompt_cache_hit_tokens": 64}),
        openai(120, 9, 64),
    ),
    _body("body-chat-usage-null", _chat(usage=None)),
    _body("body-chat-text-quotes-usage", _chat(_TOLD)),
    _body("body-chat-longer-than-the-tail", _chat(_TOLD * 2_000, usage=chat_usage(19, 9_000)), openai(19, 9_000, 0, 0)),
    _body("body-chat-longer-than-the-tail-no-usage", _chat(_TOLD * 2_000, usage=None)),
    _body(
        "body-chat-message-of-wrong-type",
        _chat(message="hello", response=7, usage=chat_usage(1, 2)),
        openai(1, 2, 0, 0),
    ),
    _body(
        "body-responses", _response(usage=responses_usage(328, 52, cached=10, reasoning=20)), openai(328, 52, 10, 20)
    ),
    _body(
        "body-responses-longer-than-the-tail",
        _response(_TOLD * 2_000, usage=responses_usage(328, 9_000), user=None, metadata={}),
        openai(328, 9_000, 0, 0),
    ),
    _body("body-responses-input-tokens", {"object": "response.input_tokens", "input_tokens": 11}, model=None),
    _body(
        "body-embeddings",
        {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.1] * 9}],
            "model": GPT,
            "usage": {"prompt_tokens": 8, "total_tokens": 8},
        },
        openai(8),
    ),
    _body("body-transcription-by-duration", {"text": "Hi", "usage": {"type": "duration", "seconds": 3}}, model=None),
    _body("body-error", {"error": {"message": "no", "type": "invalid_request_error"}}, model=None),
    _body("body-html", b"<html><body>502 Bad Gateway</body></html>", model=None),
    _body("body-empty", b"", model=None),
    _body("body-array", b'[{"usage":{"prompt_tokens":1,"completion_tokens":1}}]', model=None),
    _body(
        "body-anthropic",
        _message(input_tokens=25, output_tokens=15),
        anthropic(25, 15),
        model=CLAUDE,
        dialect="anthropic",
    ),
    _body(
        "body-anthropic-cache",
        _message(**_CACHED),
        anthropic(2095, 503, 1800, 248, 100),
        model=CLAUDE,
        dialect="anthropic",
    ),
    _body(
        "body-anthropic-longer-than-the-tail",
        _message(_TOLD * 2_000, **_CACHED),
        anthropic(2095, 503, 1800, 248, 100),
        model=CLAUDE,
        dialect="anthropic",
    ),
    _body("body-anthropic-count-tokens", {"input_tokens": 2095}, model=None, dialect="anthropic"),
    _body(
        "body-anthropic-error",
        {"type": "error", "error": {"type": "not_found_error", "message": "no"}},
        model=None,
        dialect="anthropic",
    ),
    _body("body-cross-message-read-as-openai", _message(input_tokens=25, output_tokens=15), model=CLAUDE),
    _body("body-cross-cached-message-read-as-openai", _message(**_CACHED), model=CLAUDE),
    _body("body-cross-chat-read-as-anthropic", _chat(usage=chat_usage(19, 10)), dialect="anthropic"),
    _body(
        "body-cross-response-read-as-anthropic",
        _response(usage={"input_tokens": 3, "output_tokens": 4}),
        dialect="anthropic",
    ),
)
