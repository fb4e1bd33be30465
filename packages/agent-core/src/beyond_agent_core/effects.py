"""What the loop may ask of whoever drives it, and what it may be told: values, no more.

A driver performs an effect and sends back one of the answers named beside it. It may interrupt any effect but `Emit`.
Compaction asks by the same effects, so that every driver performs it without knowing of it: its model calls have the
purpose `summary`, of which nothing is emitted.
Contract: agent-core contract, effects and answers.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from beyond_agent_core.errors import RunFault
from beyond_agent_core.events import AgentEvent
from beyond_wire.types import ImageSource, ModelRequest, TokenUsage, ToolUseBlock, Turn

Why: TypeAlias = Literal["cancelled", "limit"]
"""What interrupted an effect."""
CheckpointAt: TypeAlias = Literal["prompt", "assistant", "results", "compaction", "end"]


# -- effects


class Emit(msgspec.Struct, frozen=True):
    """Tell the watchers; answered with None, never interrupted."""

    event: AgentEvent


class CallModel(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the model once; answered with `Turn`, `CallFailed` or `Interrupted`. The driver emits what streams."""

    request: ModelRequest
    step: int
    purpose: Literal["turn", "summary"] = "turn"


class RunTools(msgspec.Struct, frozen=True, kw_only=True):
    """Run the calls of a turn; answered with `ToolsDone`, one result a call whatever happens.

    `bad_args` maps the id of a call to argument text that could not be read. tool_start and tool_end are the driver's.
    """

    calls: tuple[ToolUseBlock, ...]
    bad_args: dict[str, str]


class Sleep(msgspec.Struct, frozen=True, kw_only=True):
    """Wait before a further attempt; answered with `Elapsed`, `GivenUp` or `Interrupted`."""

    seconds: float
    why: str


class Checkpoint(msgspec.Struct, frozen=True):
    """Make the session durable; answered with `Saved` or `CheckpointFailed`."""

    at: CheckpointAt


class AfterTurn(msgspec.Struct, frozen=True, kw_only=True):
    """Look at a finished round; answered with `GoOn` or `Stop`."""

    step: int
    turn: Turn


Effect: TypeAlias = Emit | CallModel | RunTools | Sleep | Checkpoint | AfterTurn


# -- answers


class CallFailed(msgspec.Struct, frozen=True):
    """The model call failed; `usage` is what the attempt cost, as far as known."""

    fault: RunFault
    usage: TokenUsage | None = None


class Interrupted(msgspec.Struct, frozen=True):
    """The effect was cut short."""

    why: Why


class ToolResult(msgspec.Struct, frozen=True, kw_only=True):
    """One call's result; `terminate` asks for the end of the run, which all calls of a round must ask for."""

    text: str
    is_error: bool = False
    images: tuple[ImageSource, ...] = ()
    terminate: bool = False


class ToolsDone(msgspec.Struct, frozen=True, kw_only=True):
    """Results in call order, one a call; `interrupted` where calls were cut short."""

    results: tuple[ToolResult, ...]
    interrupted: Why | None = None


class Elapsed(msgspec.Struct, frozen=True):
    """The wait is over."""


class GivenUp(msgspec.Struct, frozen=True):
    """Somebody asked not to wait for further attempts."""


class Saved(msgspec.Struct, frozen=True):
    """The session is durable."""


class CheckpointFailed(msgspec.Struct, frozen=True):
    """The session could not be made durable."""

    message: str


class GoOn(msgspec.Struct, frozen=True):
    """Nobody asks for a stop."""


class Stop(msgspec.Struct, frozen=True):
    """A hook asks for a graceful stop."""


Answer: TypeAlias = (
    Turn | CallFailed | Interrupted | ToolsDone | Elapsed | GivenUp | Saved | CheckpointFailed | GoOn | Stop | None
)

ANSWERS: dict[type, tuple[type, ...]] = {
    Emit: (type(None),),
    CallModel: (Turn, CallFailed, Interrupted),
    RunTools: (ToolsDone,),
    Sleep: (Elapsed, GivenUp, Interrupted),
    Checkpoint: (Saved, CheckpointFailed),
    AfterTurn: (GoOn, Stop),
}
"""The answers that each effect may get; anything else is a driver's bug and a TypeError."""
