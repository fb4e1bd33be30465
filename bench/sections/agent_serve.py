"""The agent's server: many sessions in one process, states asked for meanwhile, and how fast and even events come.

The model is inside the server's process and ticks, so that no provider is measured; the server has a core to itself,
clients have the other.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from bench import agent_process, procfs
from bench.load import LoadFailedError
from bench.report import Table, Verdict
from bench.setting import PYTHON, ROOT, progress

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from bench.setting import Setting

SESSIONS, CONNECTIONS = 1_000, 10
TICKS, TICK_S = 20, 0.6
"""Each of many sessions says so many deltas, one each so many seconds: 100,000 a minute in all."""
PACED, PACED_S = 1_667, 0.006
"""Each of ten sessions says one in 6 ms, for ten seconds: 100,000 a minute in all."""
FLOOD = 30_000
ASK_EVERY_S = 0.02
MOST_RUNS = 3


class Crowd(NamedTuple):
    """What clients have seen, and what it did to the server."""

    seen: dict[str, float]
    asked_ms: list[float]
    grown_bytes: int
    cpu_s: float


def run(setting: Setting) -> list[Table]:
    """Each crowd gets a fresh server."""
    table = Table(
        "One process that serves over a Unix socket",
        [
            "sessions, one connection each",
            "deltas/s",
            "CPU µs/delta",
            "age p50 ms",
            "age p99 ms",
            "longest gap ms",
            "get_state p50 ms",
            "p95 ms",
            "KiB/session",
        ],
    )
    many = _middle(setting, "many", SESSIONS, TICKS, TICK_S)
    ten = _middle(setting, "ten", CONNECTIONS, PACED, PACED_S)
    one = _middle(setting, "one", 1, FLOOD, 0)
    for label, crowd in ((f"{SESSIONS:,}, one delta in 0.6 s", many), ("10, one in 6 ms", ten), ("1, unpaced", one)):
        rate, cpu = crowd.seen["deltas"] / crowd.seen["seconds"], crowd.cpu_s / crowd.seen["deltas"] * 1e6
        seen = [crowd.seen[each] for each in ("age_p50_ms", "age_p99_ms", "longest_ms")]
        asked = [median(crowd.asked_ms), _p95(crowd.asked_ms)] if crowd.asked_ms else [float("nan")] * 2
        table.rows.append([label, rate, cpu, *seen, *asked, crowd.grown_bytes / crowd.seen["sessions"] / 1024])
    table.notes.append("age: from the model's yield to the client's read; the longest gap holds the pace itself")
    rate = ten.seen["deltas"] / ten.seen["seconds"] * 60
    table.verdicts += [
        Verdict("get_state p95 beside 1,000 sessions", _p95(many.asked_ms), 10, " ms"),
        Verdict("resident memory of each of them", many.grown_bytes / SESSIONS / 1024, 150, " KiB"),
        Verdict("deltas a minute to 10 connections", rate, 99_000, "", at_least=True),
        Verdict("the longest gap between two of them", ten.seen["longest_ms"], 50, " ms"),
    ]
    return [table]


def _middle(setting: Setting, name: str, count: int, deltas: int, every_s: float) -> Crowd:
    """Medians of up to three runs; of the states that were asked for, all."""
    crowds = [_crowd(setting, f"{name}-{at}", count, deltas, every_s) for at in range(min(setting.runs, MOST_RUNS))]
    seen = {field: median(crowd.seen[field] for crowd in crowds) for field in crowds[0].seen}
    asked = [each for crowd in crowds for each in crowd.asked_ms]
    grown = int(median(crowd.grown_bytes for crowd in crowds))
    return Crowd(seen, asked, grown, median(crowd.cpu_s for crowd in crowds))


def _crowd(setting: Setting, name: str, count: int, deltas: int, every_s: float) -> Crowd:
    progress(f"serve: {count:,} sessions of {deltas:,} deltas")
    with _serving(setting, name) as (pid, path):
        before = procfs.resident_bytes(pid)
        words = [PYTHON, str(ROOT / "bench/agent_crowd.py"), str(path), str(count), str(deltas), str(every_s)]
        clients = subprocess.Popen(
            ["taskset", "-c", str(setting.load_core), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert clients.stdin is not None
            assert clients.stdout is not None
            _expect(clients.stdout.readline(), "ready")
            cpu = procfs.cpu_seconds(pid)
            clients.stdin.write("\n")
            clients.stdin.flush()
            _expect(clients.stdout.readline(), "running")
            asked = _asked(path, deltas * every_s)
            seen = msgspec.json.decode(clients.stdout.readline())
            cpu, grown = procfs.cpu_seconds(pid) - cpu, procfs.resident_bytes(pid) - before
            clients.stdin.write("\n")
            clients.stdin.close()
            clients.wait(30)
        finally:
            clients.kill()
            clients.wait()
    return Crowd({**seen, "sessions": count}, asked, grown, cpu)


@contextmanager
def _serving(setting: Setting, name: str) -> Generator[tuple[int, Path]]:
    where = agent_process.place(setting, f"agent-serve-{name}")
    path = where.home / "s"
    command = ["taskset", "-c", str(setting.proxy_core), PYTHON, str(ROOT / "bench/agent_host.py"), str(path)]
    with (setting.tmp / f"agent-serve-{name}.err").open("wb") as err:
        process = subprocess.Popen(
            command,
            cwd=where.cwd,
            env=agent_process.environment(setting, where, 9),
            stdin=subprocess.DEVNULL,
            stdout=err,
            stderr=err,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 20
        while not path.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise LoadFailedError(f"the server did not listen: see {err.name}")
            time.sleep(0.01)
        yield process.pid, path
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _asked(path: Path, seconds: float) -> list[float]:
    """Milliseconds of `get_state` from a connection of its own, while the others are told; nothing in a short time."""
    took: list[float] = []
    if seconds < 2:
        return took
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        with connection.makefile("rb") as frames:
            frames.readline()
            end = time.monotonic() + seconds - 1
            while time.monotonic() < end:
                began = time.perf_counter()
                connection.sendall(b'{"type":"get_state","id":1}\n')
                answer: dict[str, Any] = msgspec.json.decode(frames.readline())
                took.append((time.perf_counter() - began) * 1e3)
                if not answer.get("success"):
                    raise LoadFailedError(f"get_state got {answer}")
                time.sleep(ASK_EVERY_S)
    return took


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


def _expect(line: str, wanted: str) -> None:
    if line.strip() != wanted:
        raise LoadFailedError(f"the clients said {line[:200]!r} instead of {wanted}")
