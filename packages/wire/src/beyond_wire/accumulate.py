"""Stream events folded into one `Turn`.

Fragments are kept in a list for each open block and joined once, when the block stops: to append to a string or to
parse partial arguments again at each fragment would be quadratic. Blocks are found by their `index`, so several may be
open at once, as the parallel calls of some providers are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beyond_wire.arguments import read_arguments
from beyond_wire.types import (
    ContentBlockStop,
    InputJsonDelta,
    InputJsonFinal,
    MessageStart,
    MessageStop,
    RedactedThinking,
    RedactedThinkingBlock,
    SignatureDelta,
    TextBlock,
    TextDelta,
    TextFinal,
    ThinkingBlock,
    ThinkingDelta,
    TokenUsage,
    ToolUseBlock,
    ToolUseStart,
    Turn,
    UsageEvent,
    assistant,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beyond_wire.types import ContentBlock, StopReason, StreamEvent


class _Text:
    """An open text block."""

    __slots__ = ("final", "parts")

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.final: TextFinal | None = None

    def block(self) -> TextBlock | None:
        final = self.final
        if final is not None:
            return TextBlock(text=final.text, id=final.id, phase=final.phase) if final.text else None
        text = "".join(self.parts)
        return TextBlock(text=text) if text else None


class _Thinking:
    """An open thinking block."""

    __slots__ = ("parts", "signature")

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.signature: list[str] = []

    def block(self) -> ThinkingBlock | None:
        thinking, signature = "".join(self.parts), "".join(self.signature)
        # Reasoning whose text is hidden still has a signature, and providers want it back.
        return ThinkingBlock(thinking=thinking, signature=signature) if thinking or signature else None


class _Call:
    """An open tool call."""

    __slots__ = ("final", "id", "name", "parts")

    def __init__(self, start: ToolUseStart) -> None:
        self.id = start.id
        self.name = start.name
        self.parts: list[str] = []
        self.final: str | None = None

    def text(self) -> str:
        return "".join(self.parts) if self.final is None else self.final


class Accumulator:
    """One `Turn` out of the events of one answer: `add` each, then take `turn()`.

    Memory is the answer's own size. It raises nothing on any order of events: fragments of arguments without a call
    before them are dropped, and a turn taken early holds what has come so far.
    """

    __slots__ = ("_bad_args", "_blocks", "_calls", "_stop_reason", "_texts", "_thinking", "_usage")

    def __init__(self) -> None:
        self._texts: dict[int, _Text] = {}
        self._thinking: dict[int, _Thinking] = {}
        self._calls: dict[int, _Call] = {}
        self._blocks: list[tuple[int, ContentBlock]] = []
        self._bad_args: dict[str, str] = {}
        self._usage = TokenUsage()
        self._stop_reason: StopReason = "end_turn"

    def __repr__(self) -> str:
        still_open = len(self._texts) + len(self._thinking) + len(self._calls)
        return f"<Accumulator blocks={len(self._blocks)} open={still_open} stop={self._stop_reason}>"

    def add(self, event: StreamEvent) -> None:
        """Take the next event of the answer."""
        # The three kinds that make up nearly all of a stream come first.
        if isinstance(event, TextDelta):
            (self._texts.get(event.index) or self._open_text(event.index)).parts.append(event.text)
        elif isinstance(event, InputJsonDelta):
            if event.index in self._calls:
                self._calls[event.index].parts.append(event.partial_json)
        elif isinstance(event, ThinkingDelta):
            (self._thinking.get(event.index) or self._open_thinking(event.index)).parts.append(event.text)
        else:
            self._add_rare(event)

    def _add_rare(self, event: StreamEvent) -> None:
        match event:
            case ToolUseStart():
                self._calls[event.index] = _Call(event)
            case ContentBlockStop():
                self._close(event.index)
            case SignatureDelta():
                (self._thinking.get(event.index) or self._open_thinking(event.index)).signature.append(event.signature)
            case RedactedThinking():
                self._blocks.append((event.index, RedactedThinkingBlock(data=event.data)))
            case InputJsonFinal():
                if event.index in self._calls:
                    self._calls[event.index].final = event.full_json
            case TextFinal():
                (self._texts.get(event.index) or self._open_text(event.index)).final = event
            case UsageEvent():
                self._usage = TokenUsage(**{name: getattr(event, name) for name in TokenUsage.__struct_fields__})
            case MessageStop():
                self._stop_reason = event.stop_reason
            case MessageStart() | TextDelta() | InputJsonDelta() | ThinkingDelta():
                pass

    def turn(self) -> Turn:
        """Turn of all events so far, its blocks in the order of their index; open blocks are closed by this."""
        for index in (*self._texts, *self._thinking, *self._calls):
            self._close(index)
        self._blocks.sort(key=_index)
        return Turn(
            message=assistant(block for _, block in self._blocks),
            stop_reason=self._stop_reason,
            usage=self._usage,
            bad_args=self._bad_args.copy(),
        )

    def _open_text(self, index: int) -> _Text:
        return self._texts.setdefault(index, _Text())

    def _open_thinking(self, index: int) -> _Thinking:
        return self._thinking.setdefault(index, _Thinking())

    def _close(self, index: int) -> None:
        for opened in (self._thinking.pop(index, None), self._texts.pop(index, None)):
            block = None if opened is None else opened.block()
            if block is not None:
                self._blocks.append((index, block))
        call = self._calls.pop(index, None)
        if call is not None:
            self._blocks.append((index, self._called(call)))

    def _called(self, call: _Call) -> ToolUseBlock:
        arguments: dict[str, Any] | None = read_arguments(call.text())
        if arguments is None:
            self._bad_args[call.id] = call.text()
        return ToolUseBlock(id=call.id, name=call.name, input=arguments or {})


def turn_of(events: Iterable[StreamEvent]) -> Turn:
    """Turn of a whole list of events."""
    accumulator = Accumulator()
    for event in events:
        accumulator.add(event)
    return accumulator.turn()


def _index(block: tuple[int, ContentBlock]) -> int:
    return block[0]
