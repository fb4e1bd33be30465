"""Tool calls of a Chat Completions stream, put together from pieces that may come interleaved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.types import ContentBlockStop, InputJsonDelta, ToolUseStart

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_wire.chat_shapes import CallPiece
    from beyond_wire.types import StreamEvent


class _Call:
    """One call. It has a number once its name is known; until then its argument text waits in `held`."""

    __slots__ = ("closed", "held", "id", "index")

    def __init__(self, id_: str) -> None:
        self.id = id_
        self.index: int | None = None
        self.held: list[str] = []
        self.closed = False


class OpenCalls:
    """The calls of one answer, found by the index of a piece and its id together.

    Providers agree on little. OpenAI gives an index to each call and its id once. Some put every call at index 0 under
    ids of their own, some repeat the id on each piece, some give no id. So a piece belongs to the call last seen at its
    index, unless it names another id; an id known at that index is that call again, a new one a new call (wire
    contract, Chat). No index is index 0. A call without an id gets one made of its number.
    """

    __slots__ = ("_by_id", "_current", "_number", "_open")

    def __init__(self, number: Callable[[], int]) -> None:
        """`number` gives the next block's number."""
        self._number = number
        self._open: list[_Call] = []
        self._current: dict[int, _Call] = {}
        self._by_id: dict[tuple[int, str], _Call] = {}

    def __repr__(self) -> str:
        return f"<OpenCalls open={len(self._open)}>"

    def take(self, piece: CallPiece, events: list[StreamEvent]) -> None:
        """Add a piece to its call, which opens with its name. A piece of a call that was closed is dropped."""
        function = piece.function
        name, arguments = ("", "") if function is None else (function.name or "", function.arguments or "")
        call = self._find(piece.index or 0, piece.id or "", name)
        if call.closed:
            return
        if call.index is not None:
            if arguments:
                events.append(InputJsonDelta(index=call.index, partial_json=arguments))
            return
        if arguments:
            call.held.append(arguments)
        if name:
            self._start(call, name, events)

    def close(self, events: list[StreamEvent]) -> None:
        """Close the open calls, in the order they were first seen."""
        for call in self._open:
            call.closed = True
            if call.index is None and (call.id or call.held):
                # It was never named. It is kept all the same: whoever runs calls tells the model what is wrong with it.
                self._start(call, "", events)
            if call.index is not None:
                events.append(ContentBlockStop(index=call.index))
        self._open.clear()

    def _find(self, at: int, id_: str, name: str) -> _Call:
        """Call that a piece belongs to, a new one where it fits none."""
        current = self._current.get(at)
        found = self._by_id.get((at, id_)) if id_ else current
        if found is None and current is not None and not current.id and (current.index is None or not name):
            # The id of a call that began without one; too late where the call has already been told.
            found = current
            found.id = id_ if found.index is None else ""
        if found is not None and found.closed and name and not id_:
            found = None
        if found is None:
            found = _Call(id_)
            self._open.append(found)
        self._current[at] = found
        if id_:
            self._by_id[at, id_] = found
        return found

    def _start(self, call: _Call, name: str, events: list[StreamEvent]) -> None:
        call.index = self._number()
        events.append(ToolUseStart(index=call.index, id=call.id or f"call_{call.index}", name=name))
        if call.held:
            events.append(InputJsonDelta(index=call.index, partial_json="".join(call.held)))
            call.held.clear()
