"""What watchers of a run see: one value an event, JSON-ready, in an order with a grammar.

    run  = agent_start (steered | model_switched | tools_updated | compaction | turn)* error? agent_end
    turn = turn_start (stream | turn_retry | compaction)* turn_end (tool_start+ (tool_progress | tool_end)*)?
    compaction = compaction_start (compacted | compaction_failed)

`agent_end` comes once and last, whatever happens. Names and fields are wire format (agent-core contract, events).
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from beyond_agent_core.errors import CompactionCode, ErrorCode
from beyond_wire.types import StreamEvent

Outcome: TypeAlias = Literal["done", "error", "limit", "refused", "cancelled"]
Phase: TypeAlias = Literal["connect", "stream", "round", "overflow"]
CompactionReason: TypeAlias = Literal["threshold", "overflow", "manual"]


class AgentStart(msgspec.Struct, frozen=True, kw_only=True, tag="agent_start", tag_field="kind"):
    """The run has begun."""


class TurnStart(msgspec.Struct, frozen=True, kw_only=True, tag="turn_start", tag_field="kind"):
    """The model is about to be asked; `step` counts from 1 over the whole session."""

    step: int


class Streamed(msgspec.Struct, frozen=True, kw_only=True, tag="stream", tag_field="kind"):
    """Something of the model's answer; in JSON its fields stand beside `kind`."""

    event: StreamEvent


class TurnRetry(msgspec.Struct, frozen=True, kw_only=True, tag="turn_retry", tag_field="kind"):
    """The turn is tried again: what streamed for this step is void."""

    step: int
    attempt: int
    max_attempts: int
    delay_ms: int
    phase: Phase
    error_code: ErrorCode
    message: str


class TurnEnd(msgspec.Struct, frozen=True, kw_only=True, tag="turn_end", tag_field="kind"):
    """The turn is over; `error` for one that failed, `aborted` for one that was interrupted."""

    stop_reason: str
    step: int


class ToolStart(msgspec.Struct, frozen=True, kw_only=True, tag="tool_start", tag_field="kind"):
    """A call of the turn, in call order, before any of them runs."""

    id: str
    name: str
    input: dict[str, Any]


class ToolProgress(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="tool_progress", tag_field="kind"
):
    """All that a call has put out so far, bounded."""

    id: str
    name: str
    snapshot: str
    details: dict[str, Any] | None = None


class ToolEnd(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="tool_end", tag_field="kind"):
    """A call has its result."""

    id: str
    name: str
    result: str
    is_error: bool
    details: dict[str, Any] | None = None


class Steered(msgspec.Struct, frozen=True, kw_only=True, tag="steered", tag_field="kind"):
    """So many queued messages have entered the session."""

    messages: int


class CompactionStart(msgspec.Struct, frozen=True, kw_only=True, tag="compaction_start", tag_field="kind"):
    """The history is being made smaller; nothing of it has changed yet."""

    reason: CompactionReason


class Compacted(msgspec.Struct, frozen=True, kw_only=True, tag="compacted", tag_field="kind"):
    """The history is smaller; tokens are estimates.

    `clear` shortened old results and has no summary; `summary` folded the messages before `first_kept`.
    """

    reason: CompactionReason
    mode: Literal["clear", "summary"]
    messages_before: int
    messages_after: int
    tokens_before: int
    tokens_after: int
    summary: str
    first_kept: int


class CompactionFailed(msgspec.Struct, frozen=True, kw_only=True, tag="compaction_failed", tag_field="kind"):
    """The history is as it was, and the run goes on with it."""

    reason: CompactionReason
    message: str
    error_code: CompactionCode


class ModelSwitched(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="model_switched", tag_field="kind"
):
    """Another model answers from the next turn on."""

    model: str
    thinking: int | None = None


class ToolsUpdated(msgspec.Struct, frozen=True, kw_only=True, tag="tools_updated", tag_field="kind"):
    """The model has these tools from the next turn on; names sorted."""

    tool_names: tuple[str, ...]


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="error", tag_field="kind"):
    """Why the run ends, directly before its end."""

    message: str
    error_code: ErrorCode


class LimitHit(msgspec.Struct, frozen=True, kw_only=True):
    """The limit that ended a run: its name, its value, what was used."""

    name: str
    max: float
    used: float


class Undelivered(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that stay queued behind the end."""

    steers: int = 0
    follow_ups: int = 0


class AgentEnd(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="agent_end", tag_field="kind"):
    """The run is settled: nothing continues by itself after it."""

    steps: int
    outcome: Outcome
    stop_reason: str | None = None
    error_code: ErrorCode | None = None
    limit: LimitHit | None = None
    undelivered: Undelivered


AgentEvent: TypeAlias = (
    AgentStart
    | TurnStart
    | Streamed
    | TurnRetry
    | TurnEnd
    | ToolStart
    | ToolProgress
    | ToolEnd
    | Steered
    | CompactionStart
    | Compacted
    | CompactionFailed
    | ModelSwitched
    | ToolsUpdated
    | Failed
    | AgentEnd
)
"""One event of a run, told apart by `kind` in JSON."""

_ENCODER = msgspec.json.Encoder()


def encode_event(event: AgentEvent) -> bytes:
    """Return one event as a line of JSON with its LF."""
    if isinstance(event, Streamed):
        inner: dict[str, Any] = msgspec.to_builtins(event.event)
        return _ENCODER.encode({"kind": "stream", **inner}) + b"\n"
    return _ENCODER.encode(event) + b"\n"
