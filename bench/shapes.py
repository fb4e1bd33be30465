"""The requests that are sent: bytes fixed once, so that every subject and every run gets the same."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from bench.gateway import BYO_KEY, MANAGED_KEY

AGENT_BODY_BYTES = 76 * 1024

# What the vendors' Python clients send besides Host and Content-Length: fourteen headers with those two.
SDK_HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "User-Agent": "OpenAI/Python 2.8.1",
    "Accept-Encoding": "gzip, deflate",
    "X-Stainless-Lang": "python",
    "X-Stainless-Package-Version": "2.8.1",
    "X-Stainless-OS": "Linux",
    "X-Stainless-Arch": "x64",
    "X-Stainless-Runtime": "CPython",
    "X-Stainless-Runtime-Version": "3.11.2",
    "X-Stainless-Retry-Count": "0",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """One request: POST `body` to `path` with `headers`; Host and Content-Length are the sender's to add."""

    name: str
    path: str
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)


def chat(*, managed: bool) -> Shape:
    """A small question of about 300 bytes for a whole JSON answer."""
    name = "chat-managed" if managed else "chat-byo"
    return Shape(name, "/openai/v1/chat/completions", _chat_body(), _bearer(managed=managed))


def chat_stream(*, include_usage: bool) -> Shape:
    """The same question for a stream; without `include_usage` the gateway asks for usage and hides the extra event."""
    extra: dict[str, object] = {
        "stream": True,
        **({"stream_options": {"include_usage": True}} if include_usage else {}),
    }
    name = "stream-usage" if include_usage else "stream-plain"
    return Shape(name, "/openai/v1/chat/completions", _chat_body(extra), _bearer(managed=True))


def agent() -> Shape:
    """A coding agent's first request: 76 KB of system prompt, tools and file text, answered as a stream."""
    tool_text = "Reads a range of lines from a file and returns them with their numbers; long lines are cut. "
    schema = {"type": "object", "properties": {"path": {"type": "string"}, "from": {"type": "integer"}}}
    tools = [{"name": f"tool_{n}", "description": tool_text * 8, "input_schema": schema} for n in range(16)]
    code = 'def total(rows):\n    """Sum of the amounts."""\n    return sum(row["amount"] for row in rows)\n\n'

    def body(repeats: int) -> bytes:
        return _json(
            {
                "max_tokens": 32000,
                "messages": [{"role": "user", "content": [{"type": "text", "text": code * repeats}]}],
                "model": "claude-sonnet-4-5",
                "system": [{"type": "text", "text": "You are a careful engineer. " * 700}],
                "tools": tools,
                "stream": True,
            }
        )

    step = len(body(2)) - len(body(1))
    headers = {**SDK_HEADERS, "User-Agent": "Anthropic/Python 0.75.0", "x-api-key": MANAGED_KEY}
    full = body((AGENT_BODY_BYTES - len(body(0))) // step)
    return Shape("agent", "/anthropic/v1/messages", full, {**headers, "anthropic-version": "2023-06-01"})


def _chat_body(extra: dict[str, object] | None = None) -> bytes:
    messages = [
        {"role": "system", "content": "You are a helpful assistant who answers in one short sentence."},
        {"role": "user", "content": "Say hello to the reader of this benchmark, and tell in one line what you can do."},
    ]
    return _json({"messages": messages, "model": "gpt-4o-mini", "temperature": 0.2, **(extra or {})})


def _bearer(*, managed: bool) -> dict[str, str]:
    return {**SDK_HEADERS, "Authorization": f"Bearer {MANAGED_KEY if managed else BYO_KEY}"}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
