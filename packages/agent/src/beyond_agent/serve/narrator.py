"""The events of a run as numbered frames: one frame an event, and what a retry that starts a turn afresh is called.

A frame is put together from the event's own bytes, because a run has very many of them.
Contract: agent contract, serve: frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from beyond_agent.serve.fitting import line_of
from beyond_agent.serve.frames import MAX_LINE_OUT, AutoRetryEnd, AutoRetryStart, EventFrame
from beyond_agent_core.events import (
    AgentEnd,
    Compacted,
    CompactionFailed,
    CompactionStart,
    Failed,
    ToolEnd,
    ToolProgress,
    ToolStart,
    TurnEnd,
    TurnRetry,
    encode_event,
)
from beyond_wire.surrogates import clean_value

if TYPE_CHECKING:
    from beyond_agent.seams import SpillFolder
    from beyond_agent.serve.frames import CommandId, Frame
    from beyond_agent.serve.numbered import Numbered
    from beyond_agent_core.events import AgentEvent

_ROOM = 128
"""Bytes around an event in its frame, at most."""


class Narrator:
    """Tells the runs of one session. `prompt_id` is what the client called the prompt in progress by.

    `waiting` says that a further attempt at a model call is due, `compacting` that the history is being made smaller.
    """

    def __init__(self, frames: Numbered, spill: SpillFolder) -> None:
        self._frames = frames
        self._spill = spill
        self._round = 0
        self._error: str | None = None
        self.waiting = False
        self.compacting = False
        self.prompt_id: CommandId | None = None

    @property
    def retrying(self) -> bool:
        """Whether a model call is tried again, or a turn is being begun afresh."""
        return self.waiting or self._round > 0

    def tell(self, event: AgentEvent) -> None:
        """Send one event, and what else it means."""
        if not isinstance(event, ToolStart | ToolProgress | ToolEnd):
            # A command that a person runs says nothing of the run.
            self.waiting = isinstance(event, TurnRetry) and event.phase != "overflow"
        match event:
            case CompactionStart():
                self.compacting = True
            case Compacted() | CompactionFailed():
                self.compacting = False
            case AgentEnd():
                self._settle(success=event.outcome in {"done", "refused", "limit"})
            case TurnEnd() if event.stop_reason not in {"error", "aborted"}:
                self._settle(success=True)
            case Failed():
                self._error = event.message
            case _:
                pass
        raw = _encoded(event)
        key = f"progress {event.id}" if isinstance(event, ToolProgress) else None
        self._frames.send(lambda seq: self._line(raw, seq), key)
        if isinstance(event, TurnRetry) and event.phase == "round":
            self._begin(event)

    def line(self, frame: Frame) -> bytes:
        """Return a frame of the session as a line."""
        return line_of(frame, self._spill)

    def _line(self, raw: bytes, seq: int) -> bytes:
        if len(raw) + _ROOM < MAX_LINE_OUT:
            return b'{"type":"event","event":%b,"seq":%d}\n' % (raw[:-1], seq)
        return self.line(EventFrame(event=msgspec.Raw(raw[:-1]), seq=seq))

    def _begin(self, retry: TurnRetry) -> None:
        self._round = retry.attempt
        self._frames.send(
            lambda seq: self.line(
                AutoRetryStart(
                    id=self.prompt_id,
                    attempt=retry.attempt,
                    max_attempts=retry.max_attempts,
                    delay_ms=retry.delay_ms,
                    error=retry.message,
                    seq=seq,
                )
            )
        )

    def _settle(self, *, success: bool) -> None:
        if not self._round:
            return
        attempt, self._round = self._round, 0
        error = None if success else self._error or "run cancelled"
        self._frames.send(
            lambda seq: self.line(AutoRetryEnd(success=success, attempt=attempt, final_error=error, seq=seq))
        )


def _encoded(event: AgentEvent) -> bytes:
    try:
        return encode_event(event)
    except UnicodeEncodeError:
        # Half a character out of a file's name or of a program's output: UTF-8 has no word for it.
        return msgspec.json.encode(clean_value(msgspec.to_builtins(event))) + b"\n"
