"""What the workers of one host share: one block of memory, made before they are forked.

Problem: a ceiling, a breaker or a counter that each worker keeps for itself is wrong by the number of workers. The
naive answer, a process that all others ask, costs a round trip a request and is one more thing that can die. Ours: an
anonymous shared mapping of plain numbers that each worker reads and writes in place. Nobody locks: metrics have a part
of their own for every worker and are summed when they are read; rate windows and breakers may lose an increment where
two workers meet within the same microsecond, which their tolerance covers. The memory outlives a worker, so counters
never go back and a restarted worker finds the limits where they were.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Final

from beyond_gateway.guards.breaker import Breaker
from beyond_gateway.guards.rate import RateGuard
from beyond_gateway.metrics.cells import CELLS as METRIC_CELLS
from beyond_gateway.metrics.cells import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterable

_CELL: Final = 8
"""Bytes of every cell: an unsigned integer of the rate windows, a double elsewhere."""
_NAME: Final = 64
"""Bytes of a provider's name, which the configuration does not allow to be longer."""
OTHER: Final = 0
"""Index of all providers beyond the capacity of the table: they share their metrics and have a breaker each worker."""


class Shared:
    """The block: rate windows, a breaker for each provider, a slot of metrics for each worker, names of providers."""

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        sizes = [RateGuard.CELLS, PROVIDERS * Breaker.CELLS, workers * METRIC_CELLS]
        numbers = sum(sizes) * _CELL
        self._memory = mmap.mmap(-1, numbers + PROVIDERS * _NAME)
        view = memoryview(self._memory)
        self._names = view[numbers:]
        rate, breakers = sizes[0] * _CELL, (sizes[0] + sizes[1]) * _CELL
        self.rate = view[:rate].cast("Q")
        self._breakers = view[rate:breakers].cast("d")
        self._metrics = view[breakers:numbers].cast("d")

    def breaker(self, index: int) -> memoryview[float]:
        """Return the breaker's cells of the provider with this index; cells of its own where it found no place."""
        if index == OTHER:
            return memoryview(bytearray(Breaker.CELLS * _CELL)).cast("d")
        return self._breakers[index * Breaker.CELLS : (index + 1) * Breaker.CELLS]

    def metrics(self, slot: int) -> memoryview[float]:
        """Return the metric cells of the worker in this slot."""
        return self._metrics[slot * METRIC_CELLS : (slot + 1) * METRIC_CELLS]

    def all_metrics(self) -> list[memoryview[float]]:
        """Return the metric cells of every worker, by slot."""
        return [self.metrics(slot) for slot in range(self.workers)]

    def register(self, names: Iterable[str]) -> None:
        """Give each provider its index, for as long as this memory lives. Only the process that forks calls it.

        A provider that a reload takes away keeps its index: counters must not change their meaning.
        """
        known = self.names()
        for name in names:
            if name not in known and len(known) < PROVIDERS:
                start = len(known) * _NAME
                self._names[start : start + _NAME] = name.encode().ljust(_NAME, b"\0")
                known.append(name)

    def names(self) -> list[str]:
        """Return the providers' names by index; the first stands for all that found no place."""
        raw = bytes(self._names)
        found = (raw[at : at + _NAME].rstrip(b"\0").decode() for at in range(_NAME, len(raw), _NAME))
        return ["other", *(name for name in found if name)]

    def index(self, name: str) -> int:
        """Return a provider's index, `OTHER` where it found no place."""
        names = self.names()
        return names.index(name, 1) if name in names[1:] else OTHER

    def __repr__(self) -> str:
        return f"<Shared workers={self.workers} providers={len(self.names()) - 1} bytes={len(self._memory)}>"
