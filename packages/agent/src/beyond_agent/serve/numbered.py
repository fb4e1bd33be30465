"""The frames of one session: numbered without a hole, held for who comes back, and given to whoever listens.

A frame gets its number, its place in the held ones and its listeners in one step with nothing between, so a connection
that attaches has each frame exactly once: those held, then those that follow.
Contract: agent contract, serve: transports and reconnection.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ALL_BYTES: Final = 256 * 1024 * 1024
"""Bytes that all sessions of a process hold together (agent contract, serve: transports)."""


class Held(NamedTuple):
    """One frame as it was sent; `key` names what a later one makes superfluous, such as a call's progress."""

    seq: int
    line: bytes
    key: str | None


class Numbered:
    """The frames of a session, of which `replay_bytes` are held.

    `reserve` is told how many bytes are held more or less, and may ask to `drop`.
    """

    def __init__(self, *, replay_bytes: int, reserve: Callable[[Numbered, int], None] | None = None) -> None:
        self._most = replay_bytes
        self._reserve = reserve
        self._held: deque[Held] = deque()
        self._listeners: list[Callable[[Held], None]] = []
        self.bytes = 0
        self.last_seq = 0

    def send(self, frame: Callable[[int], bytes], key: str | None = None) -> None:
        """Number a frame, made of its number, hold it, and give it to all who listen."""
        self.last_seq += 1
        held = Held(self.last_seq, frame(self.last_seq), key)
        self._held.append(held)
        self._account(len(held.line))
        while self.bytes > self._most and self._held:
            self.drop()
        for listener in tuple(self._listeners):
            listener(held)

    def after(self, since: int) -> Iterable[Held] | None:
        """Return the frames behind `since`; None where some are held no longer, or were never sent."""
        oldest = self._held[0].seq if self._held else self.last_seq + 1
        if not oldest - 1 <= since <= self.last_seq:
            return None
        return [held for held in self._held if held.seq > since]

    def from_start_of_run(self, first: int) -> list[Held]:
        """Return what is held of the frames from number `first` on."""
        return [held for held in self._held if held.seq >= first]

    def listen(self, listener: Callable[[Held], None]) -> None:
        """Give `listener` every frame from now on."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def leave(self, listener: Callable[[Held], None]) -> None:
        """Give it no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    @property
    def heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def drop(self) -> None:
        """Hold the oldest frame no longer."""
        if self._held:
            self._account(-len(self._held.popleft().line))

    def clear(self) -> None:
        """Hold nothing."""
        while self._held:
            self.drop()

    def _account(self, change: int) -> None:
        self.bytes += change
        if self._reserve is not None:
            self._reserve(self, change)

    def __repr__(self) -> str:
        return f"<Numbered last_seq={self.last_seq} held={len(self._held)} bytes={self.bytes}>"


class SharedRoom:
    """The room that the held frames of all sessions have together; the longest untouched gives way first."""

    def __init__(self, most: int = ALL_BYTES) -> None:
        self._most = most
        self._order: dict[int, Numbered] = {}
        self.bytes = 0

    def reserve(self, owner: Numbered, change: int) -> None:
        """Note a change of `owner`'s bytes; what is then too much is dropped where nothing was sent for longest."""
        self.bytes += change
        if change <= 0:
            if owner.bytes == 0:
                self._order.pop(id(owner), None)
            return
        self._order.pop(id(owner), None)
        self._order[id(owner)] = owner
        while self.bytes > self._most:
            next(iter(self._order.values())).drop()
