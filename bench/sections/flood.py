"""A flood of forged managed keys, each another, beside one steady client: what the client notices.

wrk sends the flood from the load core, where the client runs as well and waits for its turn. So there is a control: the
same flood at the mock, on that core too, while the gateway has nothing but the client.
"""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from bench import procfs, shapes
from bench.gateway import MANAGED_KEY, gateway
from bench.load import LoadFailedError, request_bytes
from bench.nginx import json_mock
from bench.reach import Caller, pinned
from bench.report import Table, Verdict
from bench.setting import progress

if TYPE_CHECKING:
    from bench.servers import Server
    from bench.setting import Setting

# A key that parses, of a kid that exists, with a signature that nobody has sent before: 85 digits and an A.
SCRIPT = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = {body}
local sent = 0
refused, held_back, others = 0, 0, 0
request = function()
  sent = sent + 1
  wrk.headers["Authorization"] = string.format("Bearer %s.%085dA", {text}, sent)
  return wrk.format(nil, "/openai/v1/chat/completions")
end
response = function(status)
  if status == 401 then refused = refused + 1
  elseif status == 429 then held_back = held_back + 1
  else others = others + 1 end
end
local worker
setup = function(thread) worker = thread end
done = function(summary)
  local e = summary.errors
  io.write(string.format('FLOOD {{"lost":%d,"refused":%d,"held_back":%d,"others":%d,"seconds":%f}}\\n',
    e.connect + e.read + e.write + e.timeout, worker:get("refused"), worker:get("held_back"), worker:get("others"),
    summary.duration / 1e6))
end
"""
CONNECTIONS = 64
EVERY_S, POOL = 0.02, 10
# Longer than a load run, as fifty requests a second are few for a 99th percentile.
LONGER = 2
# A request passes the loop twice, as it comes and as its answer does, and waits each time for the rest of a turn and
# for its own. A turn is one answer to each connection of the flood: 64 of 0.1 ms, checks included, are 6.5 ms, four
# turns 26. The rest is for a client that waits for wrk on its own core.
TARGET_MS = 30.0


@dataclass(frozen=True, slots=True)
class Steady:
    """What the client saw: statuses, and sorted milliseconds, counted from when a request was due."""

    statuses: list[int]
    times_ms: list[float]

    def at(self, share: float) -> float:
        """The time that `share` of the requests did not exceed."""
        return self.times_ms[min(len(self.times_ms) - 1, int(len(self.times_ms) * share))]

    @property
    def served(self) -> float:
        """The share that was answered 200."""
        return self.statuses.count(200) / len(self.statuses)


class Flood(msgspec.Struct):
    """What wrk counted: answers 401, 429 and other ones, and connections that failed or got no answer."""

    lost: int
    refused: int
    held_back: int
    others: int
    seconds: float

    @property
    def answers(self) -> int:
        """All that was answered."""
        return self.refused + self.held_back + self.others


def run(setting: Setting) -> list[Table]:
    """The steady client alone, with the load core busy, and with the flood at the gateway."""
    seconds = max(2.0, setting.seconds * LONGER)
    with ExitStack() as stack:
        mock = stack.enter_context(json_mock(setting))
        server = stack.enter_context(gateway(setting, mock.port, rate_limit_rps=100, byo_rate_limit_rps=1000))
        progress(f"{1 / EVERY_S:.0f} requests a second, quiet")
        quiet = _steady(setting, server, seconds)
        progress("the same while a flood goes to the mock")
        control, _ = _beside(setting, server, mock.port, seconds)
        progress("the same while a flood goes to the gateway")
        cpu, began = procfs.cpu_seconds(server.pid), time.monotonic()
        beside, flood = _beside(setting, server, server.port, seconds)
        cpu, wall = procfs.cpu_seconds(server.pid) - cpu, time.monotonic() - began
    rate = 1 / EVERY_S
    table = Table(
        f"A flood of forged keys beside {rate:.0f} requests a second", ["client", "200 %", "p50 ms", "p99 ms"]
    )
    rows = {"quiet": quiet, "flood at the mock, on the client's core": control, "flood at the gateway": beside}
    table.rows += [[label, seen.served * 100, seen.at(0.5), seen.at(0.99)] for label, seen in rows.items()]
    table.notes.append(
        f"Flood: {flood.answers / flood.seconds:,.0f} a second over {CONNECTIONS} connections; "
        f"{flood.refused / flood.answers:.1%} got 401, {flood.held_back / flood.answers:.1%} got 429."
    )
    table.notes += [
        f"Gateway: {cpu / flood.answers * 1e6:.1f} µs of CPU for each of them, {cpu / wall:.0%} of its core.",
        f"{len(beside.statuses)} requests of the client in each row, timed from when each was due.",
    ]
    table.verdicts += [
        Verdict("the client's requests answered 200 beside the flood", beside.served, 1, "", at_least=True),
        Verdict("the client's p99 beside the flood", beside.at(0.99), TARGET_MS, " ms"),
        Verdict("forged keys answered neither 401 nor 429", flood.others + flood.lost, 0, ""),
    ]
    return [table]


def _beside(setting: Setting, server: Server, port: int, seconds: float) -> tuple[Steady, Flood]:
    """What the client sees while a flood at `port` runs, and what the flood got."""
    script = setting.tmp / "flood.lua"
    text, _, _ = MANAGED_KEY.rpartition(".")
    body = json.dumps(shapes.chat(managed=True).body.decode())
    script.write_text(SCRIPT.format(text=json.dumps(text), body=body), encoding="utf-8")
    command = ["taskset", "-c", str(setting.load_core), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{round(seconds + 1)}s"]
    words = [*command, "--timeout", "30s", "-s", str(script), f"http://127.0.0.1:{port}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as flood:
        time.sleep(0.5)
        seen = _steady(setting, server, seconds)
        told, _ = flood.communicate()
    line = next((line for line in told.splitlines() if line.startswith("FLOOD ")), None)
    if line is None:
        raise LoadFailedError(f"wrk failed: {told}")
    return seen, msgspec.json.decode(line.removeprefix("FLOOD "), type=Flood)


def _steady(setting: Setting, server: Server, seconds: float) -> Steady:
    """One request each EVERY_S over kept connections in turn, as a client with a pool has them."""
    request = request_bytes(shapes.chat(managed=True)).replace(b"Connection: close\r\n", b"")
    begin = time.monotonic() + 0.2

    def turns(place: int) -> list[tuple[int, float]]:
        """Status and lateness of this connection's requests, each due POOL * EVERY_S after the one before."""
        caller, seen = Caller(server.port), list[tuple[int, float]]()
        caller.ask(request)
        for number in range(place, int(seconds / EVERY_S), POOL):
            due = begin + number * EVERY_S
            time.sleep(max(0.0, due - time.monotonic()))
            seen.append((caller.ask(request), (time.monotonic() - due) * 1000))
        caller.close()
        return seen

    with pinned(setting.load_core), ThreadPoolExecutor(POOL) as pool:
        seen = [one for place in pool.map(turns, range(POOL)) for one in place]
    return Steady([status for status, _ in seen], sorted(late for _, late in seen))
