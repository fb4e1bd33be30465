"""Streams of the Responses API and of other OpenAI endpoints that report usage at the root of an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beyond_wire.testing.fixture import Event, Fields, Stream, named, openai, responses_usage, sse

if TYPE_CHECKING:
    from beyond_wire.usage import UsageFacts

GPT5 = "gpt-5-2025-08-07"
_TOLD = '{"usage":{"input_tokens":1,"output_tokens":1}}'


def _responses(
    name: str, *events: Event, usage: UsageFacts | None = None, model: str | None = GPT5, error: bool = False
) -> Stream:
    return Stream(name=name, dialect="openai", body=sse(*events), usage=usage, model=model, error=error)


def _response(kind: str, text: str = "", usage: Fields | None = None, **more: Any) -> Event:
    """Return an event that carries the whole response, usage near the end as the API writes it."""
    content: list[Fields] = [{"type": "output_text", "text": text, "annotations": []}]
    return named(
        {
            "type": f"response.{kind}",
            "sequence_number": 0,
            "response": {
                "id": "resp_67ccd2bed1ec8190",
                "object": "response",
                "status": kind,
                "error": None,
                "incomplete_details": None,
                "model": GPT5,
                "output": [{"type": "message", "role": "assistant", "content": content}] if text else [],
                "tools": [
                    {"type": "function", "name": "bill", "parameters": {"properties": {"usage": {"type": "string"}}}}
                ],
                "usage": usage,
                "user": None,
                "metadata": {},
                **more,
            },
        }
    )


def _delta(text: str) -> Event:
    kind = "response.output_text.delta"
    return named({"type": kind, "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": text})


_CREATED = (_response("created"), _response("in_progress"), _delta("Hi"))

RESPONSES_STREAMS: tuple[Stream, ...] = (
    _responses(
        "responses-completed",
        *_CREATED,
        _response("completed", "Hi", responses_usage(37, 11, cached=5, reasoning=2)),
        usage=openai(37, 11, 5, 2),
    ),
    _responses(
        "responses-incomplete",
        *_CREATED,
        _response("incomplete", "Hi", responses_usage(37, 64), incomplete_details={"reason": "max_output_tokens"}),
        usage=openai(37, 64, 0, 0),
    ),
    _responses(
        "responses-failed-with-usage",
        *_CREATED,
        _response("failed", "", responses_usage(37, 3), error={"code": "server_error", "message": "no"}),
        usage=openai(37, 3, 0, 0),
        error=True,
    ),
    _responses("responses-failed-without-usage", *_CREATED, _response("failed"), error=True),
    _responses(
        "responses-error-event",
        *_CREATED,
        named({"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": None}),
        error=True,
    ),
    _responses("responses-cut-before-completed", *_CREATED),
    _responses(
        "responses-200-kb-final-event",
        *_CREATED,
        _response("completed", 'say "usage" \n' * 16_000 + _TOLD, responses_usage(37, 40_000, cached=5)),
        usage=openai(37, 40_000, 5, 0),
    ),
    _responses(
        "responses-200-kb-final-event-text-only-quotes-usage",
        *_CREATED,
        _response("completed", _TOLD * 5_000, None),
    ),
    _responses(
        "responses-xai-reasoning-outside",
        _response("completed", "4", {**responses_usage(32, 9, reasoning=300), "total_tokens": 341}),
        usage=openai(32, 309, 0, 300),
    ),
    _responses(
        "transcription-stream",
        {"type": "transcript.text.delta", "delta": "Hello"},
        {
            "type": "transcript.text.done",
            "text": "Hello",
            "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59},
        },
        usage=openai(14, 45),
        model=None,
    ),
    _responses(
        "image-stream",
        named({"type": "image_generation.partial_image", "b64_json": "iVBORw0KGgo" * 2_000, "partial_image_index": 0}),
        named(
            {
                "type": "image_generation.completed",
                "b64_json": "iVBORw0KGgo" * 9_000,
                "usage": {"total_tokens": 100, "input_tokens": 50, "output_tokens": 50},
            }
        ),
        usage=openai(50, 50),
        model=None,
    ),
)
