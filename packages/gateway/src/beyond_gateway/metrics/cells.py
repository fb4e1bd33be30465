"""Where each number lives in the memory that all workers share.

Problem: the workers of a host accept on one port, so a scrape reaches any of them and must still tell the truth of all.
The naive answers are a scrape that asks the other workers (one that hangs hangs the scrape) and counters under a lock
(every request waits). Ours: all workers are forked from one parent over one anonymous mapping, each has a slot of
64-bit doubles that it alone writes, and whoever answers a scrape adds the slots up. An aligned double is stored whole,
so a reader sees the old number or the new one. A slot outlives its worker: a successor goes on counting in it, so
counters never go back. `retire` is for the time between the two.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

from beyond_gateway.metrics.table import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beyond_gateway.metrics.table import Metric

PROVIDERS: Final = 64
"""Providers that a slot has room for, by index; those without room are counted together under index 0."""


def cells_of(metric: Metric) -> int:
    """Return how many cells a family takes, with those of providers that do not exist yet."""
    return metric.stride * (PROVIDERS if metric.per_provider else 1)


def _first_cells() -> dict[str, int]:
    starts = accumulate((cells_of(metric) for metric in METRICS), initial=0)
    return {metric.name: start for metric, start in zip(METRICS, starts, strict=False)}


FIRST_CELL: Final = _first_cells()
"""Index of each metric's first cell in a slot. A family lies by provider, then by value, then by bucket."""
_LINE: Final = 8  # doubles in the 64 bytes that processors hand to one another: no two slots share one
CELLS: Final = -(-sum(cells_of(metric) for metric in METRICS) // _LINE) * _LINE
"""Cells of a slot."""
SLOT_BYTES: Final = CELLS * 8


def cell(name: str, value: str = "") -> int:
    """Return the index of a metric's cell, that of provider 0 and the first bucket. Raises KeyError, ValueError."""
    metric = next(metric for metric in METRICS if metric.name == name)
    return FIRST_CELL[name] + metric.width * metric.values.index(value)


_BUFFERED: Final = cell("ai_buffered_bytes")
_RESTARTS: Final = cell("ai_worker_restarts_total")
_ADMITTED: Final = cell("ai_managed_admitted_total")
_ANSWERED_FOR: Final = (cell("ai_rows_written_total"), cell("ai_managed_free_total"), cell("ai_rows_lost_total"))
_GAUGES: Final = tuple(
    FIRST_CELL[metric.name] + offset
    for metric in METRICS
    if metric.kind == "gauge"
    for offset in range(cells_of(metric))
)


def retire(cells: memoryview[float]) -> int:
    """End the life of a slot's worker, which has exited; return how many usage rows died with it.

    For the parent, each time a worker has gone, in good order or not: what the worker held is nobody's now, and every
    admitted managed request without a row, a free call aside, has lost it. A worker that is killed between the writing
    of rows and their counting makes the loss up to one write too high, never too low.
    """
    for index in _GAUGES:
        cells[index] = 0.0
    lost = max(0, int(cells[_ADMITTED] - sum(cells[index] for index in _ANSWERED_FOR)))
    cells[_ANSWERED_FOR[-1]] += lost
    return lost


def count_restart(cells: memoryview[float]) -> None:
    """Count that a worker was started in the place of one that died; for the parent, before the slot is taken again."""
    cells[_RESTARTS] += 1.0


def held_bytes(slots: Iterable[memoryview[float]]) -> float:
    """Return the bytes of bodies that all workers hold, which one budget bounds (gw contract, relay)."""
    return sum(slot[_BUFFERED] for slot in slots)
