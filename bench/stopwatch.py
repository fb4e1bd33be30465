"""CPU time of one call in this process, for the parts that are pure functions."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def call_us(call: Callable[[], object], runs: int, *, run_s: float = 0.1) -> float:
    """CPU microseconds of one `call`: the median over `runs` of the mean within a run of about `run_s` seconds.

    CPU, not wall time, so that a neighbour on the core does not count.
    """
    began = time.process_time()
    call()
    repeats = max(3, int(run_s / max(time.process_time() - began, 1e-7)))
    return median(_mean_us(call, repeats) for _ in range(runs))


def _mean_us(call: Callable[[], object], repeats: int) -> float:
    began = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - began) / repeats * 1e6
