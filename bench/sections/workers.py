"""Managed JSON with one worker and with two, where the cores allow it, and what a second worker costs anywhere."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench import shapes
from bench.compare import Samples, Subject, measure, middle, ratio
from bench.gateway import gateway
from bench.load import check
from bench.nginx import json_mock
from bench.reach import spread
from bench.report import Table, Verdict

if TYPE_CHECKING:
    from bench.setting import Setting

COLUMNS = ["workers", "req/s", "p50 µs", "p99 µs", "gateway's cores", "requests a CPU second", "MB"]
# Connections enough that the kernel's choice of a worker for each evens out.
CONNECTIONS = 64
# One core for the load and two for the gateway are three; a fourth for everything else keeps the figure clean.
CORES = 4
# Half of it a CPU second is the same target, told without cores of one's own.
SPEED_UP = 1.7


def run(setting: Setting) -> list[Table]:
    """Requests a second over the same cores, and over the CPU time that the gateway's processes got."""
    usable = sorted(os.sched_getaffinity(0))
    own = [core for core in usable if core != setting.load_core][-2:]
    enough = len(usable) >= CORES
    cores = own if enough else usable
    managed = shapes.chat(managed=True)
    with ExitStack() as stack:
        mock = stack.enter_context(json_mock(setting))
        subjects: list[Subject] = []
        for workers in (1, 2):
            server = stack.enter_context(gateway(setting, mock.port, workers=workers))
            spread(server, cores)
            check(managed, server.port, needle=b'"finish_reason":"stop"')
            subjects.append(Subject(str(workers), server, managed))
        found = measure(setting, subjects, connections=CONNECTIONS, seconds=setting.seconds)
    return [_table(found, cores, enough=enough)]


def _table(found: Samples, cores: list[int], *, enough: bool) -> Table:
    table = Table(f"Workers, managed JSON, {CONNECTIONS} connections", COLUMNS)
    for label, samples in found.items():
        figures = [middle(samples, field) for field in ("rps", "p50_us", "p99_us", "busy")]
        per_second = 1e6 / middle(samples, "cpu_us")
        table.rows.append([label, *figures, per_second, middle(samples, "resident") / 1e6])
    one, two = found["1"], found["2"]
    times, got, each = ratio(two, one, "rps"), ratio(two, one, "busy"), 1 / ratio(two, one, "cpu_us")
    table.notes.append(
        f"Two workers got {got:.2f} times the CPU time of one and served {times:.2f} times its requests a second."
    )
    table.verdicts.append(
        Verdict("requests a CPU second of two workers, of one's", each, SPEED_UP / 2, "x", at_least=True)
    )
    if enough:
        table.notes.append(f"The gateway had cores {cores} to itself; load and mock shared one other.")
        table.verdicts.append(
            Verdict("requests a second of two workers, of one's", times, SPEED_UP, "x", at_least=True)
        )
    else:
        table.notes.append(
            f"No verdict on {SPEED_UP:g} times the requests a second: that needs {CORES} cores. Here are {len(cores)}, "
            "and load and mock take one of them from the second worker."
        )
    return table
