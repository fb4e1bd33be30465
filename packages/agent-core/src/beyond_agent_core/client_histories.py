"""Histories made fit to be sent, kept between requests: a next turn pays for its new messages, not for all.

A conversation is known by its first message, the very object: a session only grows at its end, and whoever compacts it
puts another message first. One transport serves many sessions, so it remembers those that it served last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from beyond_wire.history import Preparer, prepare

if TYPE_CHECKING:
    from beyond_wire.types import Caps, Message, ModelRequest

CONVERSATIONS: Final = 16
"""Conversations that are remembered: few, because what is remembered is held in memory behind the end of a session."""


class Histories:
    """Prepares requests; remembers at most `most` conversations."""

    def __init__(self, most: int = CONVERSATIONS) -> None:
        self._most = most
        # The last served is the last in order. The message is held with its preparer, so that its id stays its own.
        self._known: dict[int, tuple[Message, Preparer]] = {}

    def __repr__(self) -> str:
        return f"<Histories conversations={len(self._known)}>"

    def prepare(self, request: ModelRequest, caps: Caps) -> ModelRequest:
        """Return what `beyond_wire.prepare` returns. Raises as it does."""
        if not request.messages:
            return prepare(request, caps)
        first = request.messages[0]
        known = self._known.pop(id(first), None) or (first, Preparer())
        self._known[id(first)] = known
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        return known[1].prepare(request, caps)

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
