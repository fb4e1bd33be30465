"""The usage row: what one admitted managed request cost, as one line on stdout.

The line's shape, field names and their order are wire format (gateway contract, usage): consumers of `ai.usage` read
it. An unknown value is left out, never null and never zero.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["ok", "upstream_error", "client_cancelled", "cut_short", "timeout"]


class UsageFields(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Fields of one row. Times are whole milliseconds since the request's first byte; counts are tokens."""

    message: str
    request_id: str
    tenant_id: int
    vpc_id: int
    key_id: int | None = None
    provider: str
    model: str | None = None
    requested_model: str | None = None
    stream: bool
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    latency_ms: int
    ttft_ms: int | None = None
    upstream_status: int | None = None
    outcome: Outcome
    usage_estimated: bool
    usage_wire: Literal["openai", "anthropic"] | None = None


class UsageLine(msgspec.Struct, kw_only=True):
    """One line: the envelope that log consumers expect around the fields. `timestamp` is RFC 3339 in UTC."""

    timestamp: str
    level: str = "INFO"
    fields: UsageFields
    target: str = "ai.usage"


_ENCODER = msgspec.json.Encoder()


def encode(line: UsageLine) -> bytes:
    """Return the row as one JSON line with its LF."""
    return _ENCODER.encode(line) + b"\n"
