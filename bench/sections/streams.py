"""Bytes of resident memory for each open stream, with 2,000 of them held after two events."""

from __future__ import annotations

import resource
import subprocess
import time
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING

from bench import shapes
from bench.gateway import gateway
from bench.load import LoadFailedError, request_bytes
from bench.mocks import sse_mock
from bench.nginx import proxy
from bench.procfs import resident_bytes
from bench.report import Table, Verdict
from bench.setting import PYTHON, ROOT, progress

if TYPE_CHECKING:
    from bench.servers import Server
    from bench.setting import Setting

STREAMS = 2000
# A process that has served streams keeps some of the memory, so each run gets a fresh one.
RUNS = 5


def run(setting: Setting) -> list[Table]:
    """Memory with the streams open less memory before, over their number; fresh processes in every run."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found: dict[str, list[float]] = {"nginx": [], "ours, managed": []}
    for turn in range(min(RUNS, setting.runs)):
        progress(f"{STREAMS} open streams, run {turn + 1}")
        with ExitStack() as stack:
            mock = stack.enter_context(sse_mock(setting, "openai", 100, hold_after=2))
            found["nginx"].append(_bytes_each(setting, stack.enter_context(proxy(setting, mock.port))))
            found["ours, managed"].append(_bytes_each(setting, stack.enter_context(gateway(setting, mock.port))))
    table = Table(f"{STREAMS:,} open streams", ["proxy", "KiB a stream"])
    table.rows += [[label, median(values) / 1024] for label, values in found.items()]
    table.verdicts.append(Verdict("memory of an open stream", median(found["ours, managed"]) / 1024, 12, " KiB"))
    return [table]


def _bytes_each(setting: Setting, server: Server) -> float:
    request = setting.tmp / "stream.request"
    request.write_bytes(request_bytes(shapes.chat_stream(include_usage=False)))
    words = [str(ROOT / "bench/stream_client.py"), str(server.port)]
    _resident_with(setting, server, [*words, "1", "2", str(request)], 1)
    before = resident_bytes(server.pid)
    return (_resident_with(setting, server, [*words, str(STREAMS), "2", str(request)], STREAMS) - before) / STREAMS


def _resident_with(setting: Setting, server: Server, words: list[str], streams: int) -> int:
    """Resident bytes of the proxy while a client of its own process holds `streams` streams."""
    command = ["taskset", "-c", str(setting.load_core), PYTHON, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        opened = client.stdout.readline() if client.stdout else b""
        if int(opened or 0) != streams:
            raise LoadFailedError(f"{server.name}: {opened!r} of {streams} streams opened")
        time.sleep(0.2)
        held = resident_bytes(server.pid)
        client.communicate()
    return held
