"""What the answers of all dialects share: they begin once, count their blocks and their tokens, and end once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.types import MessageStart, MessageStop, StopReason, TokenUsage, usage_event

if TYPE_CHECKING:
    from beyond_wire.types import StreamEvent
    from beyond_wire.usage import UsageFacts


class AnswerBase:
    """One answer as it is told: `done` says that it is complete. Blocks get the next number as they open."""

    __slots__ = ("_facts", "_next", "_started", "done")

    def __init__(self) -> None:
        self.done = False
        self._started = False
        self._next = 0
        self._facts: UsageFacts | None = None

    @property
    def usage(self) -> TokenUsage:
        """Usage known so far; a count nobody told is zero."""
        return TokenUsage() if self._facts is None else self._facts.to_token_usage()

    def start(self, events: list[StreamEvent]) -> None:
        """Begin the answer, unless it has begun."""
        if not self._started:
            self._started = True
            events.append(MessageStart())

    def note_facts(self, facts: UsageFacts | None) -> None:
        """Take newer counts; counts are cumulative, so for each the last known value stands."""
        if facts is not None:
            self._facts = facts.over(self._facts)

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _complete(self, events: list[StreamEvent], reason: StopReason, detail: str | None = None) -> None:
        """Append usage and the stop, the last two events."""
        events += (usage_event(self.usage), MessageStop(stop_reason=reason, detail=detail))
        self.done = True
