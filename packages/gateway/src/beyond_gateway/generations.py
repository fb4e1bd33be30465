"""A bounded memory that keeps what is in use, at the cost of one dictionary look-up.

An exact LRU moves an entry at each hit. Two generations give the same promise for less: entries enter the young one;
when that is full it becomes the old one, and the previous old one, untouched for a whole generation, is dropped. A hit
in the old one moves the entry to the young one. So a flood of entries that never come again displaces none that comes
again within half the bound, and both together never hold more than the bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

K = TypeVar("K")
V = TypeVar("V")


class Generations(Generic[K, V]):
    """At most `entries` values by key, the least used ones dropped. No value may be None.

    Look a key up with `young.get(key)` first, which is all that a key in steady use costs, then with `recall`.
    """

    __slots__ = ("_old", "_size", "young")

    def __init__(self, entries: int) -> None:
        self._size = max(1, entries // 2)
        self.young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self.young) + len(self._old)

    def __repr__(self) -> str:
        return f"<Generations young={len(self.young)} old={len(self._old)}>"

    def recall(self, key: K) -> V | None:
        """Value of a key that `young` does not hold, moved there so that it is kept; None where it was dropped."""
        value = self._old.pop(key, None)
        if value is not None:
            self.keep(key, value)
        return value

    def keep(self, key: K, value: V) -> None:
        """Hold `value` from now on. The key must not be held: `recall` gave None for it."""
        if len(self.young) >= self._size:
            self._old, self.young = self.young, {}
        self.young[key] = value

    def forget(self, is_gone: Callable[[V], bool]) -> None:
        """Drop every value that `is_gone` says is; O(held)."""
        self.young = {key: value for key, value in self.young.items() if not is_gone(value)}
        self._old = {key: value for key, value in self._old.items() if not is_gone(value)}
