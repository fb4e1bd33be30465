"""Subjects measured in turn, run by run, so that drift of the machine hits all of them alike."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench import procfs
from bench.load import wrk
from bench.setting import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.servers import Server
    from bench.setting import Setting
    from bench.shapes import Shape


@dataclass(frozen=True, slots=True)
class Subject:
    """A line of the table: what is asked, of which server; `measured` False where there is no proxy to charge."""

    label: str
    server: Server
    shape: Shape
    measured: bool = True


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one subject.

    CPU is that of the proxy's processes alone; `busy` is their share of the core, `others` that of every other process:
    above a few per cent, the run was not alone and its requests a second mean little.
    """

    rps: float
    p50_us: float
    p99_us: float
    cpu_us: float
    cpu_us_event: float
    busy: float
    others: float
    resident: int


Samples = dict[str, list[Sample]]


def measure(
    setting: Setting,
    subjects: Sequence[Subject],
    *,
    connections: int,
    seconds: float,
    events: Callable[[], int] | None = None,
) -> Samples:
    """`setting.runs` samples of each subject by its label, after one short run of each that is thrown away.

    `events` reads the mock's running count of SSE events, finished answers or not.
    """
    samples: Samples = {subject.label: [] for subject in subjects}
    for subject in subjects:
        wrk(setting, subject.shape, subject.server.port, connections=connections, seconds=1)
    for turn in range(setting.runs):
        progress(f"run {turn + 1} of {setting.runs}, {connections} connections: {', '.join(samples)}")
        for subject in subjects:
            samples[subject.label].append(_sample(setting, subject, connections, seconds, events))
    return samples


def _sample(
    setting: Setting, subject: Subject, connections: int, seconds: float, events: Callable[[], int] | None
) -> Sample:
    pid = subject.server.pid
    events_before = events() if events else 0
    core_before, cpu_before = procfs.core_busy_seconds(setting.proxy_core), procfs.cpu_seconds(pid)
    began = time.monotonic()
    load = wrk(setting, subject.shape, subject.server.port, connections=connections, seconds=seconds)
    cpu, wall = procfs.cpu_seconds(pid) - cpu_before, time.monotonic() - began
    core = procfs.core_busy_seconds(setting.proxy_core) - core_before
    passed = events() - events_before if events else 0
    charged = cpu if subject.measured else float("nan")
    return Sample(
        rps=load.requests / load.seconds,
        p50_us=load.p50_us,
        p99_us=load.p99_us,
        cpu_us=charged / load.requests * 1e6,
        cpu_us_event=charged / passed * 1e6 if passed else float("nan"),
        busy=charged / wall,
        others=max(0.0, core - (cpu if subject.measured else 0.0)) / wall,
        resident=procfs.resident_bytes(pid),
    )


def middle(samples: Sequence[Sample], field: str) -> float:
    """Median of one field over the runs."""
    return median(getattr(sample, field) for sample in samples)


def ratio(ours: Sequence[Sample], theirs: Sequence[Sample], field: str) -> float:
    """Median of the run-by-run ratios: each run is divided by its neighbour in time."""
    pairs = zip(ours, theirs, strict=True)
    return median(getattr(mine, field) / getattr(other, field) for mine, other in pairs)


def shared_core(*found: Samples) -> list[str]:
    """A warning where other processes took more than 5 % of the proxy's core, else nothing."""
    share = max(middle(samples, "others") for runs in found for label, samples in runs.items() if label != "direct")
    if share <= 0.05:
        return []
    return [f"NOT ALONE: other processes took up to {share:.0%} of the proxy's core; do not quote rates and latencies."]
