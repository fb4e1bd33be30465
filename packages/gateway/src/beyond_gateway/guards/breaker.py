"""Stop calls to a provider that fails, and find out with one request at a time whether it is back.

    state       ordinary success   ordinary failure       probe's success     probe's failure    probe given back
    closed      counted            counted, may open      counted             counted, may open  -
    open        -                  -                      -                   -                  -
    half-open   -                  -                      closes, forgets     opens again        next may probe

It opens where the window has at least `threshold` failures and no more successes than failures. Open turns half-open by
itself, after `reset_s`. An outcome counts only where the state let its request in: what was admitted before an opening
and ends after it neither closes the breaker nor keeps it open longer, and what ends after it has closed again is news
of that moment and counts as any other. A probe that is older than `reset_s` may have died with its worker, so the next
request replaces it; the outcome of whichever ends first decides.

The window is a ring of sub-windows, each one cell for successes and one for failures that packs which sub-window it is
and how many: a cell of an older one is an empty one, and nothing is ever cleared on time. All of the last nine tenths
of the window is counted and nothing older than the window.

All workers of a host share the cells, without a lock. Two that ask within the same moment may both probe, and two
outcomes of one moment may count as one; a cell is written whole, so that no reader sees half a transition.
"""

from __future__ import annotations

from math import ceil
from typing import Final, Literal

PROBE: Final = -1
"""Answer of `Breaker.ask` to the one request that finds out whether the provider is back."""

State = Literal["closed", "open", "half-open"]

_PARTS: Final = 10
# A double holds 53 bits: 20 for the count, 33 for the number of the sub-window since boot, which are years.
_MOST: Final = float(2**20)
_LEAST_PART_S: Final = 0.05

# Cells: when it may probe (0 is closed), until when a probe is out (0 is none), successes, failures.
_OPEN_UNTIL: Final = 0
_PROBE_UNTIL: Final = 1
_GOOD: Final = 2
_BAD: Final = _GOOD + _PARTS


class Breaker:
    """Tells whether a provider may be called. One per worker and provider, all of a provider's over the same cells.

    `cells` are CELLS of format d, zero at first. It opens at `threshold` failures within `window_s` seconds, for
    `reset_s` seconds; a threshold of 0 is no breaker, a window below 0.5 s counts as that (gw contract, breaker). All
    times are monotonic seconds.
    """

    CELLS: Final = _BAD + _PARTS

    __slots__ = ("_cells", "_part_s", "_reset_s", "_threshold")

    def __init__(self, cells: memoryview[float], threshold: int, window_s: float, reset_s: float) -> None:
        self._cells = cells
        self.set_limits(threshold, window_s, reset_s)

    def __repr__(self) -> str:
        opens = f"{self._threshold} in {self._part_s * _PARTS:g} s" if self._threshold else "never"
        return f"<Breaker opens={opens} reset={self._reset_s:g} s>"

    def set_limits(self, threshold: int, window_s: float, reset_s: float) -> None:
        """Hold these limits from now on. A breaker that is open stays so until the time set at its opening."""
        self._threshold = threshold
        self._part_s = max(_LEAST_PART_S, window_s / _PARTS)
        self._reset_s = reset_s

    def ask(self, now: float) -> int:
        """0: go. PROBE: go, and tell the outcome with `probe=True`, or give it back. Else seconds to wait, at least 1.

        While a probe is out the wait is 1: its answer may come at any moment.
        """
        if not self._threshold:
            return 0
        until = self._cells[_OPEN_UNTIL]
        if not until:
            return 0
        if now < until:
            return ceil(until - now)
        if now < self._cells[_PROBE_UNTIL]:
            return 1
        self._cells[_PROBE_UNTIL] = now + self._reset_s
        return PROBE

    def success(self, now: float, *, probe: bool) -> None:
        """Note that the provider answered, with anything but a 5xx."""
        if not self._threshold:
            return
        until = self._cells[_OPEN_UNTIL]
        if not until:
            self._count(_GOOD, now)
        elif probe and now >= until:
            self._forget()
            self._cells[_OPEN_UNTIL] = 0.0

    def failure(self, now: float, *, probe: bool) -> None:
        """Note that the provider answered with a 5xx or not at all."""
        if not self._threshold:
            return
        until = self._cells[_OPEN_UNTIL]
        if not until:
            self._count(_BAD, now)
            bad = self._counted(_BAD, now)
            if bad >= self._threshold and bad >= self._counted(_GOOD, now):
                self._open(now)
        elif probe and now >= until:
            self._open(now)

    def give_back(self) -> None:
        """Let the next request probe: this probe ended without telling anything about the provider.

        A probe that was replaced meanwhile gives back the other's place, so that one more may go.
        """
        self._cells[_PROBE_UNTIL] = 0.0

    def state(self, now: float) -> State:
        """Where the breaker stands, for metrics."""
        until = self._cells[_OPEN_UNTIL] if self._threshold else 0.0
        if not until:
            return "closed"
        return "open" if now < until else "half-open"

    def _open(self, now: float) -> None:
        self._cells[_PROBE_UNTIL] = 0.0
        self._cells[_OPEN_UNTIL] = now + self._reset_s

    def _forget(self) -> None:
        self._cells[_PROBE_UNTIL] = 0.0
        for at in range(_GOOD, _BAD + _PARTS):
            self._cells[at] = 0.0

    def _count(self, ring: int, now: float) -> None:
        part = now // self._part_s
        at = ring + int(part % _PARTS)
        none = part * _MOST
        count = self._cells[at] - none
        if not 0.0 <= count < _MOST:
            count = 0.0
        # A full cell stays full: one more would read as one of the next sub-window.
        if count < _MOST - 1.0:
            self._cells[at] = none + count + 1.0

    def _counted(self, ring: int, now: float) -> float:
        """How many in the last _PARTS sub-windows, the one of `now` among them."""
        part = now // self._part_s
        total = 0.0
        for cell in self._cells[ring : ring + _PARTS]:
            if part - _PARTS < cell // _MOST <= part:
                total += cell % _MOST
        return total
