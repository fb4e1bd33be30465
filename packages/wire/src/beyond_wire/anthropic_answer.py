"""An Anthropic answer told in stream events, whether it came as a stream or whole.

Both ways run through one object: a whole block is a block that opens with all of its content. So a stream and the body
of the same answer give the same events but for the size of the pieces, and then the same turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from beyond_wire.answering import AnswerBase
from beyond_wire.anthropic_shapes import Call, InputMore, Redacted, SignatureMore, Text, TextMore, ThoughtMore
from beyond_wire.types import (
    ContentBlockStop,
    InputJsonDelta,
    InputJsonFinal,
    RedactedThinking,
    SignatureDelta,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolUseStart,
)
from beyond_wire.usage import anthropic_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_wire.anthropic_shapes import Block, Delta, Stop
    from beyond_wire.envelope import Usage
    from beyond_wire.types import StreamEvent

STOPS: Mapping[str, StopReason] = {
    "end_turn": "end_turn",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "refusal": "refusal",
    "sensitive": "refusal",
}
"""Stop reasons by Anthropic's word; any other word, `pause_turn` among them, is `other` (wire contract, Anthropic)."""


class AnswerEvents(AnswerBase):
    """The events of one answer: each method appends to `events` what its piece of the answer means.

    `done` says that the answer is complete, `texts` is our number of each open text block by Anthropic's index. Blocks
    get the next number as they open; a block of a kind that is skipped gets none. Anthropic's own index only
    finds the block that a later piece belongs to.
    """

    __slots__ = ("_calls", "_sealed", "_skipped", "_stop", "_thoughts", "texts")

    def __init__(self) -> None:
        super().__init__()
        # Our number of each open block by Anthropic's index, one map a kind: a piece that does not fit finds nothing.
        self.texts: dict[int, int] = {}
        self._thoughts: dict[int, int] = {}
        self._calls: dict[int, _OpenCall] = {}
        self._sealed: dict[int, int] = {}
        self._skipped: set[int] = set()
        self._stop: tuple[StopReason, str | None, str] = ("end_turn", None, "")

    def __repr__(self) -> str:
        still_open = len(self._open_places())
        return f"<AnswerEvents blocks={self._next} open={still_open} done={self.done}>"

    def note_usage(self, usage: Usage | None) -> None:
        """Take newer counts; counts are cumulative, so for each the last known value stands."""
        self.note_facts(anthropic_facts(usage))

    def open(self, at: int, block: Block | None, events: list[StreamEvent]) -> None:
        """Open a block at Anthropic's index `at`, with the content it already has; None is one that is skipped."""
        self.start(events)
        self.close(at, events)
        if block is None:
            self._skipped.add(at)
        elif isinstance(block, Text):
            index = self.texts[at] = self._number()
            if block.text:
                events.append(TextDelta(index=index, text=block.text))
        elif isinstance(block, Call):
            call = self._calls[at] = _OpenCall(self._number(), bytes(block.input).decode())
            events.append(ToolUseStart(index=call.index, id=block.id, name=block.name))
        elif isinstance(block, Redacted):
            index = self._sealed[at] = self._number()
            events.append(RedactedThinking(index=index, data=block.data))
        else:
            index = self._thoughts[at] = self._number()
            if block.thinking:
                events.append(ThinkingDelta(index=index, text=block.thinking))
            if block.signature:
                events.append(SignatureDelta(index=index, signature=block.signature))

    def grow(self, at: int, delta: Delta, events: list[StreamEvent]) -> None:
        """Add a piece to the block at `at`. Text and thinking open a block that nobody opened; a misfit is dropped."""
        if isinstance(delta, TextMore):
            index = self.texts.get(at)
            if index is None and (index := self._imply(at, self.texts, events)) is None:
                return
            events.append(TextDelta(index=index, text=delta.text))
        elif isinstance(delta, InputMore):
            call = self._calls.get(at)
            if call is not None:
                call.in_pieces = True
                events.append(InputJsonDelta(index=call.index, partial_json=delta.partial_json))
        elif isinstance(delta, ThoughtMore | SignatureMore):
            index = self._thoughts.get(at)
            if index is None and (index := self._imply(at, self._thoughts, events)) is None:
                return
            if isinstance(delta, ThoughtMore):
                events.append(ThinkingDelta(index=index, text=delta.thinking))
            else:
                events.append(SignatureDelta(index=index, signature=delta.signature))

    def close(self, at: int, events: list[StreamEvent]) -> None:
        """Close the block at `at`, if one is open."""
        self._skipped.discard(at)
        index = None
        for opened in (self.texts, self._thoughts, self._sealed):
            index = opened.pop(at, index)
        call = self._calls.pop(at, None)
        if call is not None:
            index = call.index
            if not call.in_pieces and call.input not in _NO_INPUT:
                # The whole input came as the block opened: in a body, and in streams of some compatible servers.
                events.append(InputJsonFinal(index=index, full_json=call.input))
        if index is not None:
            events.append(ContentBlockStop(index=index))

    def end(self, stop: Stop) -> None:
        """Take the stop reason and, for a refusal, its explanation. No reason leaves the one known before."""
        word = stop.stop_reason
        if not isinstance(word, str):
            return
        reason = STOPS.get(word, "other")
        explained = _explanation(stop.stop_details) if reason == "refusal" else ""
        self._stop = (reason, word if reason == "other" else None, explained)

    def finish(self, events: list[StreamEvent]) -> None:
        """End the answer: open blocks are closed, then come the explanation of a refusal, usage, and the stop."""
        self.start(events)
        for at in sorted(self._open_places()):
            self.close(at, events)
        reason, detail, explanation = self._stop
        if explanation:
            index = self._number()
            events += (TextDelta(index=index, text=explanation), ContentBlockStop(index=index))
        self._complete(events, reason, detail)

    def _open_places(self) -> list[int]:
        return [*self.texts, *self._thoughts, *self._sealed, *self._calls]

    def _imply(self, at: int, kind: dict[int, int], events: list[StreamEvent]) -> int | None:
        """Open a block of this kind at `at`; None when another kind of block is open there."""
        if at in self._skipped or at in self._open_places():
            return None
        self.start(events)
        index = kind[at] = self._number()
        return index


class _OpenCall:
    """A tool call still open: its number, the input it opened with, and whether pieces of it came after that."""

    __slots__ = ("in_pieces", "index", "input")

    def __init__(self, index: int, input_: str) -> None:
        self.index = index
        self.input = input_
        self.in_pieces = False


def _explanation(details: object) -> str:
    if not isinstance(details, dict):
        return ""
    words = cast("dict[str, Any]", details).get("explanation")
    return words if isinstance(words, str) else ""


_NO_INPUT = ("{}", "null")
