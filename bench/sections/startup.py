"""From the start of the process to the last byte of the first answered request."""

from __future__ import annotations

import subprocess
import time
from statistics import median
from typing import TYPE_CHECKING

from bench import shapes
from bench.gateway import command, write_config
from bench.load import LoadFailedError, answer_to
from bench.nginx import json_mock
from bench.report import Table, Verdict
from bench.servers import START_LIMIT_S, free_port, stop
from bench.setting import progress

if TYPE_CHECKING:
    from bench.setting import Setting


def run(setting: Setting) -> list[Table]:
    """Seconds, one core, a client that tries every 2 ms; the first run of the five has the files cached already."""
    progress("start to first answered request")
    with json_mock(setting) as mock:
        _first_answer(setting, mock.port)
        times = [_first_answer(setting, mock.port) for _ in range(max(setting.runs, 5))]
    table = Table("Start to first answered request", ["process", "median ms", "worst ms"])
    table.rows.append(["ours, managed JSON", median(times) * 1000, max(times) * 1000])
    table.verdicts.append(Verdict("start to first answered request", median(times), 0.4, " s"))
    return [table]


def _first_answer(setting: Setting, upstream: int) -> float:
    port, shape = free_port(), shapes.chat(managed=True)
    words = ["taskset", "-c", str(setting.proxy_core), *command(write_config(setting.tmp, port, upstream))]
    began = time.monotonic()
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while time.monotonic() - began < START_LIMIT_S and process.poll() is None:
            try:
                answer = answer_to(shape, port)
            except OSError:
                time.sleep(0.002)
                continue
            took = time.monotonic() - began
            if b" 200 " in answer[:20] and b'"finish_reason":"stop"' in answer:
                return took
            raise LoadFailedError(f"the first answer was {answer[:200]!r}")
    finally:
        stop(process)
    raise LoadFailedError("the gateway ended, or did not answer in time")
