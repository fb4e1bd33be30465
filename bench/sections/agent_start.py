"""The agent's start: small commands, and from the start of the process to the first byte of its first request."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from statistics import median
from typing import TYPE_CHECKING

from bench import agent_process, agent_rivals
from bench.agent_listener import Listener
from bench.load import LoadFailedError
from bench.report import Table, Verdict
from bench.setting import PYTHON, progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.agent_listener import FirstRequest
    from bench.agent_process import Took
    from bench.agent_rivals import Rival
    from bench.setting import Setting

START_LIMIT_S = 60.0
LEAST_RUNS = 11
COLUMNS = ["one task, no terminal", "median ms", "worst ms", "CPU ms", "peak MB", "request KB"]


def run(setting: Setting) -> list[Table]:
    """Nothing is pinned: a rival may use as many cores as it can."""
    return [_commands(setting), _first_requests(setting)]


def _commands(setting: Setting) -> Table:
    where = agent_process.place(setting, "agent-commands")
    env = agent_process.environment(setting, where, 9)
    subjects = {
        "python -c pass": [PYTHON, "-c", "pass"],
        "--version": agent_process.command("--version"),
        "tools": agent_process.command("tools"),
    }
    progress(f"small commands: {', '.join(subjects)}")
    for words in subjects.values():
        agent_process.timed(words, where, env)
    took: dict[str, list[Took]] = {label: [] for label in subjects}
    for _ in range(max(setting.runs, LEAST_RUNS)):
        for label, words in subjects.items():
            took[label].append(agent_process.timed(words, where, env))
    table = Table("Small commands of the agent", ["command", "median ms", "worst ms", "CPU ms"])
    for label, found in took.items():
        walls = [each.wall_s * 1e3 for each in found]
        table.rows.append([label, median(walls), max(walls), median(each.cpu_s for each in found) * 1e3])
    table.verdicts.append(Verdict("--version", median(each.wall_s for each in took["--version"]) * 1e3, 50, " ms"))
    return table


def _first_requests(setting: Setting) -> Table:
    table = Table("From the start of the process to the first byte of its first request", COLUMNS)
    with Listener() as listener:
        where = agent_process.place(setting, "agent-start")
        env = agent_process.environment(setting, where, listener.port)
        ours = agent_rivals.Rival("ours", agent_process.command("run", agent_rivals.TASK), where, env)
        rivals, table.notes = [], ["rivals are measured with BENCH_PEERS=1"]
        if os.environ.get("BENCH_PEERS") == "1":
            rivals, table.notes = agent_rivals.all_of(setting, listener.port)
        found: dict[str, list[tuple[float, FirstRequest]]] = {}
        subjects = [subject for subject in (ours, *rivals) if _asks(listener, subject, table)]
        for turn in range(max(setting.runs, LEAST_RUNS)):
            progress(f"first request, run {turn + 1}: {', '.join(each.label for each in subjects)}")
            for subject in subjects:
                found.setdefault(subject.label, []).append(_first(listener, subject))
    _fill(table, found)
    return table


def _asks(listener: Listener, subject: Rival, table: Table) -> bool:
    """One run that is not counted: files are cached after it, and what never asks is left out."""
    try:
        _first(listener, subject)
    except LoadFailedError as error:
        if subject.label == "ours":
            raise
        table.notes.append(str(error))
        return False
    return True


def _first(listener: Listener, subject: Rival) -> tuple[float, FirstRequest]:
    """Seconds to the first byte, and the request."""
    listener.expect()
    began = time.monotonic()
    process = subprocess.Popen(
        subject.command,
        cwd=subject.where.cwd,
        env=subject.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        request = listener.first(process.pid, START_LIMIT_S, _running(process))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if request is None:
        raise LoadFailedError(f"{subject.label} asked nothing")
    return request.at - began, request


def _running(process: subprocess.Popen[bytes]) -> Callable[[], bool]:
    return lambda: process.poll() is None


def _fill(table: Table, found: dict[str, list[tuple[float, FirstRequest]]]) -> None:
    ours = [seconds for seconds, _ in found["ours"]]
    for label, samples in found.items():
        walls = [seconds * 1e3 for seconds, _ in samples]
        requests = [request for _, request in samples]
        cost = [median(each.cpu_s for each in requests) * 1e3, median(each.peak_bytes for each in requests) / 1e6]
        size = median(each.body_bytes for each in requests) / 1e3
        table.rows.append([label, median(walls), max(walls), *cost, size])
    table.verdicts.append(Verdict("process start to first request byte", median(ours) * 1e3, 150, " ms"))
    for label, samples in found.items():
        if label != "ours":
            times = median(theirs / mine for mine, (theirs, _) in zip(ours, samples, strict=True))
            table.verdicts.append(Verdict(f"start of {label} against ours", times, 1, " times", at_least=True))
