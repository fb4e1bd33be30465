"""What `serve` writes: one JSON object a line, told apart by `type`.

Frames with a `seq` are a session's own and number its life in this process without a hole; the others are private to
one connection. Names and fields are wire format (agent contract, serve: frames).
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import msgspec

from beyond_agent_core.errors import ErrorCode

PROTOCOL: Final = 1
"""Version of the frames."""
MAX_LINE_IN: Final = 32 * 1024 * 1024
"""Bytes of a line that is read (agent contract, serve: frames)."""
MAX_LINE_OUT: Final = 8 * 1024 * 1024
"""Bytes of a line that is written (agent contract, serve: frames)."""

CommandId: TypeAlias = str | int
"""What a client calls a command by; echoed as it was sent."""
ServeCode: TypeAlias = Literal[
    "invalid_json",
    "unknown_command",
    "missing_field",
    "invalid_field",
    "line_too_long",
    "busy",
    "queue_full",
    "not_found",
    "ambiguous",
    "no_session_store",
    "session_locked",
    "session_superseded",
    "session_corrupt",
    "session_version",
    "limit",
    "cancelled",
    "slow_consumer",
    "io",
]
"""Stable names of what is wrong with a command or a connection (agent contract, serve: frames)."""
FaultCode: TypeAlias = ServeCode | ErrorCode | str
"""Those, and what agent-core calls the end of a run."""
Decision: TypeAlias = Literal["allow", "deny"]
Scope: TypeAlias = Literal["once", "session"]


class Frame(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """Any of them."""


class Ready(Frame, frozen=True, kw_only=True, tag="ready"):
    """The first frame of a connection. `capabilities` are the names of commands and features."""

    session_id: str
    model: str
    protocol: int
    version: str
    capabilities: tuple[str, ...]
    epoch: str
    last_seq: int
    max_line_in: int
    max_line_out: int
    cwd: str


class Response(Frame, frozen=True, kw_only=True, tag="response"):
    """The one answer to a command, last among its own frames."""

    id: CommandId | None = None
    command: str
    success: bool
    data: Any = None
    error: str | None = None
    error_code: FaultCode | None = None


class Ack(Frame, frozen=True, kw_only=True, tag="ack"):
    """A prompt was accepted; its response comes when the run has settled."""

    id: CommandId | None = None
    command: str


class EventFrame(Frame, frozen=True, kw_only=True, tag="event"):
    """Something happened in a run: `event` is one of agent-core's."""

    event: msgspec.Raw
    seq: int


class AutoRetryStart(Frame, frozen=True, kw_only=True, tag="auto_retry_start"):
    """All attempts at a turn were used up; after `delay_ms` it is begun afresh."""

    id: CommandId | None = None
    command: Literal["prompt"] = msgspec.field(default_factory=lambda: "prompt")
    attempt: int
    max_attempts: int
    delay_ms: int
    error: str
    seq: int


class AutoRetryEnd(Frame, frozen=True, kw_only=True, tag="auto_retry_end"):
    """How that ended."""

    success: bool
    attempt: int
    final_error: str | None = None
    seq: int


class SessionInfoChanged(Frame, frozen=True, kw_only=True, tag="session_info_changed"):
    """The session has another title."""

    id: CommandId | None = None
    command: Literal["set_session_name"] = msgspec.field(default_factory=lambda: "set_session_name")
    title: str
    seq: int


class ApprovalRequest(Frame, frozen=True, kw_only=True, tag="approval_request"):
    """A call waits until somebody says whether it may run."""

    request_id: str
    tool: str
    summary: str
    scope_key: str
    origin: str
    options: tuple[str, ...]
    seq: int


class ApprovalResolved(Frame, frozen=True, kw_only=True, tag="approval_resolved"):
    """It waits no longer."""

    request_id: str
    decision: Decision
    scope: Scope | None = None
    reason: str | None = None
    seq: int


class SessionSuperseded(Frame, frozen=True, kw_only=True, tag="session_superseded"):
    """Another process writes the session now; this one writes nothing more."""

    session_id: str
    seq: int


class Catchup(Frame, frozen=True, kw_only=True, tag="catchup"):
    """Where the session stands, for who cannot be told what was missed."""

    data: Any
    turn_in_flight: bool
    turn_truncated: bool


class Closing(Frame, frozen=True, kw_only=True, tag="closing"):
    """The last frame of a connection that the server ends."""

    error_code: FaultCode
    error: str


AnyFrame: TypeAlias = (
    Ready
    | Response
    | Ack
    | EventFrame
    | AutoRetryStart
    | AutoRetryEnd
    | SessionInfoChanged
    | ApprovalRequest
    | ApprovalResolved
    | SessionSuperseded
    | Catchup
    | Closing
)
"""One line of output."""
