"""A Responses answer told in stream events, whether it came as a stream or whole.

Each item of the output is one block: its text may have several parts, its reasoning several summaries. An item that is
done holds all of itself, so its text and arguments replace what came in pieces, and one that only ever came whole opens
and is done at once. A body is made of such items, so a stream and the body of the same answer run through the same
object and give the same turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from beyond_wire.answering import AnswerBase
from beyond_wire.responses_shapes import Call, Message, Reasoning
from beyond_wire.tool_ids import pack
from beyond_wire.types import (
    ContentBlockStop,
    InputJsonDelta,
    InputJsonFinal,
    SignatureDelta,
    StopReason,
    TextDelta,
    TextFinal,
    ThinkingDelta,
    ToolUseStart,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_wire.responses_shapes import Item, Part
    from beyond_wire.types import StreamEvent

Kind = Literal["text", "thinking", "call", "skipped"]

BLANK_LINE = "\n\n"
"""What stands behind each part of a summary (wire contract, Responses)."""


class OpenItem:
    """An item that is not done: its kind, its number, whether reasoning came in pieces and a summary is unfinished."""

    __slots__ = ("in_pieces", "in_summary", "index", "kind")

    def __init__(self, kind: Kind, index: int) -> None:
        self.kind: Kind = kind
        self.index = index
        self.in_pieces = False
        self.in_summary = False


class AnswerEvents(AnswerBase):
    """The events of one answer: each method appends to `events` what its piece of the answer means.

    `done` says that the answer is complete, `open` holds the open items by the provider's index. Blocks get the next
    number as they open; an item of a kind that is skipped gets none.
    """

    __slots__ = ("_called", "_refused", "open")

    def __init__(self) -> None:
        super().__init__()
        self.open: dict[int, OpenItem] = {}
        self._called = False
        self._refused = False

    def __repr__(self) -> str:
        return f"<AnswerEvents blocks={self._next} open={len(self.open)} done={self.done}>"

    def begin(self, at: int, item: Item | None, events: list[StreamEvent]) -> None:
        """Open an item at the provider's index `at`; None is one that is skipped."""
        self.start(events)
        self._stop(at, events)
        if item is None:
            self.open[at] = OpenItem("skipped", -1)
            return
        opened = self._open(at, KINDS[type(item)])
        if isinstance(item, Call):
            self._called = True
            call_id = item.call_id or item.id or f"call_{opened.index}"
            events.append(ToolUseStart(index=opened.index, id=pack(call_id, item.id), name=item.name))

    def complete(self, at: int, item: Item | None, events: list[StreamEvent]) -> None:
        """Take the item at `at` in its final form and close it; it opens first, where it had not."""
        if item is not None:
            opened = self.open.get(at)
            if opened is None or opened.kind != KINDS[type(item)]:
                self.begin(at, item, events)
                opened = self.open[at]
            self._settle(opened, item, events)
        self._stop(at, events)

    def say(self, at: int, text: str, events: list[StreamEvent], *, refusal: bool = False) -> None:
        """Add text to the message at `at`."""
        self._refused |= refusal and bool(text)
        opened = self._find(at, "text", events)
        if opened is not None:
            events.append(TextDelta(index=opened.index, text=text))

    def think(self, at: int, text: str, events: list[StreamEvent], *, summary: bool) -> None:
        """Add to the reasoning at `at`."""
        opened = self._find(at, "thinking", events)
        if opened is not None and text:
            opened.in_pieces = True
            opened.in_summary = summary
            events.append(ThinkingDelta(index=opened.index, text=text))

    def end_summary(self, at: int, events: list[StreamEvent]) -> None:
        """End a part of the summary at `at`; a part that was empty leaves no line."""
        opened = self.open.get(at)
        if opened is not None and opened.in_summary:
            opened.in_summary = False
            events.append(ThinkingDelta(index=opened.index, text=BLANK_LINE))

    def argue(self, at: int, arguments: str, events: list[StreamEvent], *, whole: bool = False) -> None:
        """Add to the argument text of the call at `at`, or replace it; without a call it is dropped."""
        opened = self.open.get(at)
        if opened is None or opened.kind != "call":
            return
        if not whole:
            events.append(InputJsonDelta(index=opened.index, partial_json=arguments))
        elif arguments:
            # Empty text beside arguments that came in pieces is a server's omission, not their end.
            events.append(InputJsonFinal(index=opened.index, full_json=arguments))

    def finish(self, events: list[StreamEvent], *, incomplete: bool = False, reason: object = None) -> None:
        """End the answer, early for `reason` where it is `incomplete`: open items, then usage, then the stop."""
        self.start(events)
        for at in list(self.open):
            self._stop(at, events)
        stop: StopReason = "end_turn"
        if incomplete:
            stop = "refusal" if reason == "content_filter" else "max_tokens"
        elif self._refused:
            stop = "refusal"
        elif self._called:
            stop = "tool_use"
        self._complete(events, stop)

    def _settle(self, opened: OpenItem, item: Item, events: list[StreamEvent]) -> None:
        index = opened.index
        match item:
            case Message():
                text = _joined(item.content)
                self._refused |= any(_text(part.refusal) for part in item.content or ())
                if text:
                    phase = item.phase if item.phase in _PHASES else None
                    events.append(TextFinal(index=index, text=text, id=_text(item.id) or None, phase=phase))
            case Call():
                if item.arguments:
                    events.append(InputJsonFinal(index=index, full_json=item.arguments))
            case Reasoning():
                if not opened.in_pieces:
                    summaries = [f"{text}{BLANK_LINE}" for part in item.summary or () if (text := _text(part.text))]
                    if thought := "".join(summaries) + _joined(item.content):
                        events.append(ThinkingDelta(index=index, text=thought))
                events.append(SignatureDelta(index=index, signature=item.source))

    def _find(self, at: int, kind: Kind, events: list[StreamEvent]) -> OpenItem | None:
        """Item of this kind at `at`, opened where there is none; None where another kind stands there."""
        opened = self.open.get(at)
        if opened is None:
            self.start(events)
            return self._open(at, kind)
        return opened if opened.kind == kind else None

    def _open(self, at: int, kind: Kind) -> OpenItem:
        opened = self.open[at] = OpenItem(kind, self._number())
        return opened

    def _stop(self, at: int, events: list[StreamEvent]) -> None:
        opened = self.open.pop(at, None)
        if opened is not None and opened.kind != "skipped":
            events.append(ContentBlockStop(index=opened.index))


def _joined(parts: list[Part] | None) -> str:
    return "".join([_text(part.text) or _text(part.refusal) for part in parts or ()])


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


KINDS: Mapping[type[Item], Kind] = {Message: "text", Reasoning: "thinking", Call: "call"}
"""Kind of block that an item becomes."""

_PHASES = ("commentary", "final_answer")  # a tuple: the phase on the wire may be unhashable
