"""How long to wait before the next connection: 1 s doubling to 30 s, from the start after a watch that lasted."""

from __future__ import annotations

from typing import Final

FIRST_S: Final = 1.0
LONGEST_S: Final = 30.0
LASTED_S: Final = 30.0
"""A watch that lived this long was a good one (gw contract, deny-set); a server that accepts and drops is not."""


class Backoff:
    """Waits of one watch."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = FIRST_S

    def after(self, lived_s: float) -> float:
        """Seconds to wait now that a watch ended which lived `lived_s`, 0 where none came about."""
        if lived_s >= LASTED_S:
            self._next = FIRST_S
        wait, self._next = self._next, min(2 * self._next, LONGEST_S)
        return wait
