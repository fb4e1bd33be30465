"""A Chat Completions answer told in stream events, whether it came as a stream or whole.

The wire has no blocks: a delta says only what kind of thing there is more of. Blocks are made here. Text and reasoning
last until another kind begins, for a reader wants them apart; calls stay open beside one another, because their pieces
may come interleaved. A whole message is a delta that holds everything, so a stream and the body of the same answer run
through the same object and give the same turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.answering import AnswerBase
from beyond_wire.chat_calls import OpenCalls
from beyond_wire.chat_shapes import REASONING_FIELDS, CallPiece
from beyond_wire.types import (
    ContentBlockStop,
    SignatureDelta,
    StopReason,
    TextDelta,
    ThinkingDelta,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_wire.chat_shapes import Delta, Part
    from beyond_wire.types import StreamEvent

STOPS: Mapping[str, StopReason] = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "length": "max_tokens",
    "content_filter": "refusal",
}
"""Stop reasons by the word of `finish_reason`; any other word is `other` (wire contract, Chat)."""

_FUNCTION_CALL_AT = -1  # an index of its own for the one call that `function_call` can hold


class AnswerEvents(AnswerBase):
    """The events of one answer: each method appends to `events` what its piece of the answer means.

    `done` says that the answer is complete, `stopped` that a finish reason was seen, `text` is the number of the open
    text block. Blocks get the next number as they open.
    """

    __slots__ = ("_calls", "_field", "_refused", "_stop", "_thought", "text")

    def __init__(self) -> None:
        super().__init__()
        self.text: int | None = None
        self._thought: int | None = None
        self._field = ""
        self._calls = OpenCalls(self._number)
        self._refused = False
        self._stop: tuple[StopReason, str | None] | None = None

    def __repr__(self) -> str:
        return f"<AnswerEvents blocks={self._next} stopped={self.stopped} done={self.done}>"

    @property
    def stopped(self) -> bool:
        """Whether a finish reason was seen, without which an answer is unfinished."""
        return self._stop is not None

    def take(self, delta: Delta, events: list[StreamEvent]) -> None:
        """Add what a delta holds: reasoning, text, refusal and calls, in this order."""
        for field in REASONING_FIELDS:
            thought = getattr(delta, field)
            if thought and isinstance(thought, str):
                self._think(field, thought, events)
                break
        content = delta.content
        if content:
            self._say(content if isinstance(content, str) else _joined(content), events)
        refusal = delta.refusal
        if refusal and isinstance(refusal, str):
            self._refused = True
            self._say(refusal, events)
        pieces = delta.tool_calls or []
        if delta.function_call is not None:
            pieces = [CallPiece(index=_FUNCTION_CALL_AT, function=delta.function_call), *pieces]
        if pieces:
            self._close_text(events)
            self._close_thought(events)
            for piece in pieces:
                self._calls.take(piece, events)

    def end(self, word: str, events: list[StreamEvent]) -> None:
        """Take the finish reason. Calls are complete; text goes on where a provider repeats the word on every chunk."""
        self._calls.close(events)
        reason = STOPS.get(word, "other")
        self._stop = (reason, word if reason == "other" else None)

    def finish(self, events: list[StreamEvent]) -> None:
        """End the answer: open blocks are closed, then come usage and the stop."""
        self.start(events)
        self._close_thought(events)
        self._close_text(events)
        self._calls.close(events)
        reason, detail = ("refusal", None) if self._refused else self._stop or ("end_turn", None)
        self._complete(events, reason, detail)

    def _think(self, field: str, thought: str, events: list[StreamEvent]) -> None:
        self._close_text(events)
        if self._thought is None or field != self._field:
            self._close_thought(events)
            self._thought, self._field = self._number(), field
        events.append(ThinkingDelta(index=self._thought, text=thought))

    def _say(self, text: str, events: list[StreamEvent]) -> None:
        if not text:
            return
        self._close_thought(events)
        if self.text is None:
            self.text = self._number()
        events.append(TextDelta(index=self.text, text=text))

    def _close_text(self, events: list[StreamEvent]) -> None:
        if self.text is not None:
            events.append(ContentBlockStop(index=self.text))
            self.text = None

    def _close_thought(self, events: list[StreamEvent]) -> None:
        if self._thought is not None:
            # The field that reasoning came in is all that a replay needs to know.
            events.append(SignatureDelta(index=self._thought, signature=self._field))
            events.append(ContentBlockStop(index=self._thought))
            self._thought = None


def _joined(parts: list[Part]) -> str:
    return "".join([part.text for part in parts if part.type in _TEXT_PARTS and isinstance(part.text, str)])


_TEXT_PARTS = ("text", None)  # a tuple: the type on the wire may be unhashable
