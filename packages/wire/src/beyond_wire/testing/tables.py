"""The three dialects with all that is recorded of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beyond_wire.dialects import ANTHROPIC, CHAT, RESPONSES
from beyond_wire.testing import (
    anthropic_requests,
    anthropic_turns,
    chat_requests,
    chat_turns,
    responses_requests,
    responses_turns,
)
from beyond_wire.testing.bodies import BODIES
from beyond_wire.testing.recorded import Tables
from beyond_wire.testing.streams import STREAMS

if TYPE_CHECKING:
    from beyond_wire.testing.fixture import Stream


def _finished(event: dict[str, Any]) -> bool:
    choices: Any = event.get("choices") or ()
    return any(choice.get("finish_reason") and not choice.get("index") for choice in choices)


def _named(start: str, streams: tuple[Stream, ...], *, sse: bool) -> tuple[Stream, ...]:
    return tuple(one for one in streams if one.name.startswith(start) and one.sse is sse and (sse or one.usage))


CHAT_TABLES = Tables(
    dialect=CHAT,
    family="openai",
    model="openai/gpt-4o",
    ends=_finished,
    truncated="Chat stream ended before finish_reason",
    turns=chat_turns.TURNS,
    requests=chat_requests.REQUESTS,
    streams=tuple(one for one in STREAMS if one.sse and one.dialect == "openai" and b'"choices"' in one.body),
    bodies=_named("body-chat", BODIES, sse=False),
    no_answers=(
        b'[{"choices":[]}]',
        b'{"choices":null}',
        b'{"choices":[]}',
        b'{"choices":[{"index":1,"message":{"content":"Hi"}}]}',
        b'{"choices":[{"finish_reason":"stop"}]}',
        b'{"choices":[{"message":null}]}',
        b'{"choices":[{"message":{"content":7}}]}',
        b'{"choices":[{"message":{"content":"\xff"}}]}',
        b'{"choices":[{"message":{"tool_calls":[{"function":{"name":7}}]}}]}',
        b'{"choices":[{"message":{}}],"x":' + b"[" * 9_000 + b"]" * 9_000 + b"}",
        b'{"type":"message","content":[]}',
    ),
)
"""OpenAI Chat Completions."""

RESPONSES_TABLES = Tables(
    dialect=RESPONSES,
    family="openai",
    model="gpt-5",
    ends=lambda event: event.get("type") in ("response.completed", "response.incomplete"),
    truncated="Responses stream ended before response.completed",
    turns=responses_turns.TURNS,
    requests=responses_requests.REQUESTS,
    streams=_named("responses-", STREAMS, sse=True),
    bodies=_named("body-responses", BODIES, sse=False),
    no_answers=(
        b'[{"object":"response","output":[]}]',
        b'{"output":[]}',
        b'{"object":"response"}',
        b'{"object":"response","output":"Hi"}',
        b'{"object":"response","output":[7]}',
        b'{"object":"response","output":[{"type":"message","content":7}]}',
        b'{"object":"response","output":[{"type":"function_call","call_id":"a"}]}',
        b'{"object":"response","output":[{"type":"new","x":' + b"[" * 9_000 + b"]" * 9_000 + b"}]}",
        b'{"object":"response","output":[{"type":"message","content":[{"text":"\xff"}]}]}',
        b'{"object":"response","output":[],"status":"in_progress"}',
        b'{"object":"response","output":[],"status":"cancelled"}',
        b'{"object":"response","output":[],"status":["completed"]}',
        b'{"object":"chat.completion","choices":[]}',
    ),
)
"""OpenAI Responses."""

ANTHROPIC_TABLES = Tables(
    dialect=ANTHROPIC,
    family="anthropic",
    model="claude-opus-4-8",
    ends=lambda event: event.get("type") == "message_stop",
    truncated="Anthropic stream ended before message_stop",
    turns=anthropic_turns.TURNS,
    requests=anthropic_requests.REQUESTS,
    streams=tuple(one for one in STREAMS if one.sse and one.dialect == "anthropic"),
    bodies=_named("body-anthropic", BODIES, sse=False),
    no_answers=(
        b'[{"type":"message","content":[]}]',
        b'{"content":[]}',
        b'{"type":"message"}',
        b'{"type":"message","content":"Hi"}',
        b'{"type":"message","content":[7]}',
        b'{"type":"message","content":[{"type":"text","text":7}]}',
        b'{"type":"message","content":[{"type":"tool_use","id":"a"}]}',
        b'{"type":"message","content":[{"type":"new","x":' + b"[" * 9_000 + b"]" * 9_000 + b"}]}",
        b'{"type":"message","content":[{"type":"text","text":"\xff"}]}',
        b'{"type":"message","content":[{"type":"tool_use","id":"a","name":"b","input":{"c":"\xff"}}]}',
        b'{"object":"chat.completion","choices":[]}',
    ),
)
"""Anthropic Messages."""
