"""Sessions on disk: what an append costs when there are many, opening a heavy one, listing a thousand."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from subprocess import run as run_process
from typing import TYPE_CHECKING

from bench import agent_logs
from bench.load import LoadFailedError
from bench.report import Table, Verdict
from bench.setting import PYTHON, ROOT, progress
from beyond_agent.sessions.store import SessionStore
from beyond_wire.types import user

if TYPE_CHECKING:
    from pathlib import Path

    from bench.setting import Setting
    from beyond_agent.sessions.stored import StoredSession

CWD = "/work/app"
APPENDS, SAMPLE = 10_000, 300
HEAVY_BYTES, CONTEXT_BYTES = 100_000_000, 1_000_000
LISTED, LISTED_BYTES = 1_000, 10_000_000


def run(setting: Setting) -> list[Table]:
    """Appends in this process, opening in one of its own, listing in this one."""
    return [_appends(setting), _opening(setting), _listing(setting)]


def _appends(setting: Setting) -> Table:
    """The first and the last appends of a session of 10,000 messages, each with its checkpoint."""
    progress(f"{APPENDS:,} appends")
    runs = [asyncio.run(_appended(setting.tmp / f"appends-{at}")) for at in range(setting.runs)]
    table = Table(f"Append and checkpoint, of {APPENDS:,}", ["messages", "ms, fsync included", "CPU µs"])
    for label, at in ((f"1 to {SAMPLE}", 0), (f"{APPENDS - SAMPLE:,} to {APPENDS:,}", 1)):
        table.rows.append(
            [label, median(each[at][0] for each in runs) * 1e3, median(each[at][1] for each in runs) * 1e6]
        )
    for at, what in enumerate(("append 10,000 against the first", "CPU of it")):
        times = median(last[at] / first[at] for first, last in runs)
        table.verdicts.append(Verdict(what, times, 1.5, " times"))
    return table


async def _appended(folder: Path) -> tuple[tuple[float, float], tuple[float, float]]:
    stored = SessionStore(folder).create(CWD, agent_logs.MODEL)
    try:
        # The first one makes the thread that syncs.
        await _append(stored, 1)
        first = await _append(stored, SAMPLE)
        for _ in range(APPENDS - 2 * SAMPLE):
            stored.session.push(user("What about this one?"))
        await stored.checkpoint("results")
        return first, await _append(stored, SAMPLE)
    finally:
        stored.close()


async def _append(stored: StoredSession, times: int) -> tuple[float, float]:
    """Median wall and mean CPU seconds of one append."""
    walls: list[float] = []
    cpu = time.process_time()
    for _ in range(times):
        began = time.perf_counter()
        stored.session.push(user("What about this one?"))
        await stored.checkpoint("results")
        walls.append(time.perf_counter() - began)
    return median(walls), (time.process_time() - cpu) / times


def _opening(setting: Setting) -> Table:
    progress("a session of 100 MB")
    folder = setting.tmp / "heavy"
    folder.mkdir()
    path = agent_logs.long_session(folder, CWD, size=HEAVY_BYTES, context=CONTEXT_BYTES)
    found = [_opened(path) for _ in range(max(3, setting.runs))]
    path.unlink()
    seconds, cpu, kib = (median(each[at] for each in found) for at in range(3))
    table = Table("Opening a session of 100 MB whose context is 1 MB", ["messages of it", "s", "CPU s", "MiB above"])
    table.rows.append([found[0][3], seconds, cpu, kib / 1024])
    table.verdicts += [Verdict("open of it", seconds, 1, " s"), Verdict("memory for it", kib / 1024, 64, " MiB")]
    return table


def _opened(path: Path) -> list[float]:
    words = [PYTHON, str(ROOT / "bench/agent_open.py"), str(path)]
    found = [float(word) for word in run_process(words, capture_output=True, check=True, text=True).stdout.split()]
    if found[3] < CONTEXT_BYTES / agent_logs.PIECE_BYTES / 2:
        raise LoadFailedError(f"the heavy session opened with {found[3]:g} messages")
    return found


def _listing(setting: Setting) -> Table:
    progress(f"{LISTED:,} sessions of 10 MB, with a hole in each")
    folder = setting.tmp / "listed"
    folder.mkdir()
    agent_logs.short_ends(folder, CWD, sessions=LISTED, size=LISTED_BYTES)
    took: list[tuple[float, float]] = []
    for _ in range(max(3, setting.runs)):
        began, cpu = time.perf_counter(), time.process_time()
        page = SessionStore(folder).list_sessions(cwd=CWD, limit=50)
        took.append((time.perf_counter() - began, time.process_time() - cpu))
        if page.total != LISTED or page.sessions[0].message_count != 4_000:
            raise LoadFailedError(f"the list shows {page.total} sessions")
    table = Table("Listing 1,000 sessions of 10 MB", ["of one directory", "ms", "CPU ms"])
    table.rows.append(["newest 50", *(median(each[at] for each in took) * 1e3 for at in range(2))])
    table.verdicts.append(Verdict("listing them", median(wall for wall, _ in took), 1, " s"))
    return table
