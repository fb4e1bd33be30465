"""What can go wrong, by whose fault.

- a caller's: `ConfigError` (a bad setting, when the agent is built), `SessionBusy`, `SessionInvalid`, `QueueFull`
- a run's: `RunFault`, a value that ends as outcome `error`, never an exception inside the loop; `RunFailed` raises it
- a tool's: `InvalidInput`, `ExecutionFailed`, which the model is told and the run survives
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

ErrorCode: TypeAlias = Literal[
    "connect_failed",
    "http_status",
    "unauthorized",
    "quota",
    "stream_truncated",
    "stream_stalled",
    "provider_error",
    "bad_frame",
    "request_invalid",
    "context_overflow",
    "output_truncated",
    "checkpoint_failed",
    "nothing_to_do",
    "limit",
    "cancelled",
    "internal",
]
"""Stable names of what ends a run (agent-core contract, failure and retry)."""
CompactionCode: TypeAlias = ErrorCode | Literal["breaker_open", "not_smaller", "summary_empty", "summary_refused"]
"""Why a compaction failed; `breaker_open` says that no automatic one follows (agent-core contract, compaction)."""


class RunFault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a model call or a run failed. `transient` may go away by itself; `retry_after` is whole or part seconds.

    `started` says that something of the answer had arrived; `status` is the HTTP status where there was one.
    """

    code: ErrorCode
    message: str
    transient: bool = False
    started: bool = False
    retry_after: float | None = None
    status: int | None = None


class AgentError(Exception):
    """Root of what is raised to callers; never raised itself."""


class ConfigError(AgentError):
    """A setting cannot be used. `field` names it, the text says what it must be."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field


class SessionBusy(AgentError):  # noqa: N818 - the contract names it so
    """The session has a run already, which goes on undisturbed."""

    def __init__(self) -> None:
        super().__init__("a run is in progress on this session")


class SessionInvalid(AgentError):  # noqa: N818 - the contract names it so
    """A stored session cannot be loaded; the text has the path of the field that is wrong."""


class QueueFull(AgentError):  # noqa: N818 - the contract names it so
    """A lane holds as many messages as it may; the newest was refused."""

    def __init__(self) -> None:
        super().__init__("steering queue full")


class RunFailed(AgentError):  # noqa: N818 - it says what happened
    """A run ended otherwise than `done`, for callers who want that raised; `fault` says why where something failed."""

    def __init__(self, outcome: str, fault: RunFault | None) -> None:
        super().__init__(fault.message if fault is not None else f"the run ended as {outcome}")
        self.outcome = outcome
        self.fault = fault


class InvalidInput(AgentError):  # noqa: N818 - the contract names it so
    """A tool cannot work with its input; the model is told and may try again."""


class ExecutionFailed(AgentError):  # noqa: N818 - it says what happened
    """A tool failed at its work; the model is told."""


class PlaybookMismatch(AssertionError):  # noqa: N818 - it is an assertion with a transcript
    """A playbook met another effect than it expected."""
