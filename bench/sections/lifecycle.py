"""What the life cycle costs those who are being served: settings read again, a drain, a worker that died."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING

from bench import shapes
from bench.gateway import MANAGED_KEY, await_said, gateway
from bench.load import LoadFailedError, LoadRun, check, request_bytes, wrk
from bench.mocks import set_pace, sse_mock
from bench.nginx import json_mock
from bench.reach import Caller, await_end, get, holder, pinned, workers
from bench.report import Table, Verdict
from bench.setting import progress

if TYPE_CHECKING:
    from bench.servers import Server
    from bench.setting import Setting

RELOADS, RELOAD_EVERY_S = 20, 0.1
CONNECTIONS = 32
IDLE, STREAMS, EVENTS, PACE_MS = 100, 100, 100, 10
KILLS = 5
# A worker that dies within a second of its start is kept waiting, which is not what is measured.
LIVED_S = 1.1
# The gateway's clock: what ends within one tick of it was ended by an event, not found over by the clock.
TICK_MS = 250
# A pause in a stream that its reader does not see; reloads hold up every stream of a worker.
UNNOTICED_MS = 100
MODELS = get("/openai/v1/models", MANAGED_KEY)


def run(setting: Setting) -> list[Table]:
    """Reloads under load, drains with and without streams, restarts of a killed worker."""
    with ExitStack() as stack:
        mock = stack.enter_context(json_mock(setting))
        stream_mock = stack.enter_context(sse_mock(setting, "openai", EVENTS))
        set_pace(stream_mock, PACE_MS)
        return [_reloads(setting, mock), _drains(setting, mock, stream_mock), _restarts(setting, mock)]


def _reloads(setting: Setting, mock: Server) -> Table:
    columns = ["gateway", "reload p50 ms", "worst ms", "p99 ms without", "p99 ms with", "req/s without", "req/s with"]
    table = Table(f"SIGHUP, {1 / RELOAD_EVERY_S:.0f} a second", columns)
    worst = 0.0
    for label, count in (("1 worker, load", 1), ("2 workers, load", 2)):
        progress(f"{RELOADS} reloads: {label}")
        with gateway(setting, mock.port, workers=count) as server:
            times, without, loaded = _under_load(setting, server, count)
        worst = max(worst, *times)
        latency = [median(times) * 1000, max(times) * 1000, without.p99_us / 1000, loaded.p99_us / 1000]
        table.rows.append([label, *latency, without.requests / without.seconds, loaded.requests / loaded.seconds])
    progress(f"{RELOADS} reloads: 1 worker, TLS, no load")
    with gateway(setting, mock.port, upstream_tls=True) as server, pinned(setting.load_core):
        # The port is open before signals are heard; whoever answers hears them.
        caller = Caller(server.port)
        if caller.ask(get("/openai/v1/models", "")) != 401:
            raise LoadFailedError("a request without a key was not refused")
        times = _reload(setting, server, 1)
        caller.close()
    table.rows.append(["1 worker, TLS, no load", median(times) * 1000, max(times) * 1000, *[float("nan")] * 4])
    table.notes += [
        "From the signal until every worker has said that it has the new settings. No request failed.",
        f"Load is {CONNECTIONS} connections flat out on the gateway's core: a reload waits in line as a request does.",
        "TLS to the providers is what a gateway in use has: its certificates are read anew.",
    ]
    table.verdicts += [
        Verdict("reload under load, worst", worst * 1000, UNNOTICED_MS, " ms"),
        Verdict("reload with TLS to the providers, worst", max(times) * 1000, UNNOTICED_MS, " ms"),
    ]
    return table


def _under_load(setting: Setting, server: Server, count: int) -> tuple[list[float], LoadRun, LoadRun]:
    """Seconds of each reload, and the load before and meanwhile, in which nothing may fail."""
    shape = shapes.chat(managed=True)
    check(shape, server.port, needle=b'"finish_reason":"stop"')
    lasts = RELOADS * RELOAD_EVERY_S
    without = wrk(setting, shape, server.port, connections=CONNECTIONS, seconds=lasts)
    with ThreadPoolExecutor(1) as pool, pinned(setting.load_core):
        load = pool.submit(wrk, setting, shape, server.port, connections=CONNECTIONS, seconds=lasts + 1)
        time.sleep(0.5)
        return _reload(setting, server, count), without, load.result()


def _reload(setting: Setting, server: Server, count: int) -> list[float]:
    """Seconds of each of some reloads, told by the last of `count` workers."""
    times: list[float] = []
    for turn in range(1, RELOADS + 1):
        began = time.monotonic()
        os.kill(server.pid, signal.SIGHUP)
        ended = await_said(setting, server, "settings reloaded", times=turn * count)
        times.append(ended - began)
        time.sleep(max(0.0, began + RELOAD_EVERY_S - ended))
    return times


def _drains(setting: Setting, mock: Server, stream_mock: Server) -> Table:
    table = Table(
        "SIGTERM, until the last process is gone", ["workers", f"{IDLE} idle, ms", f"{STREAMS} streams, ms after"]
    )
    idle_worst = after_worst = 0.0
    for count in (1, 2):
        progress(f"drains, {count} workers")
        idle = median(_idle_drain(setting, mock, count) for _ in range(min(setting.runs, 3)))
        after = _stream_drain(setting, stream_mock, count)
        table.rows.append([str(count), idle * 1000, after * 1000])
        idle_worst, after_worst = max(idle, idle_worst), max(after, after_worst)
    table.notes.append(
        f"Idle: {IDLE} kept connections that have each had an answer. Streams: {STREAMS} of a second each, half of it "
        "over at the signal; all came whole, and the time is from the last byte of the last one."
    )
    table.verdicts += [
        Verdict("exit with idle connections only", idle_worst * 1000, TICK_MS, " ms"),
        Verdict("exit after the end of the last stream", after_worst * 1000, TICK_MS, " ms"),
    ]
    return table


def _idle_drain(setting: Setting, mock: Server, count: int) -> float:
    with gateway(setting, mock.port, workers=count) as server:
        callers = [Caller(server.port) for _ in range(IDLE)]
        if any(caller.ask(MODELS) != 200 for caller in callers):
            raise LoadFailedError("a request before the drain was refused")
        began = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        took = await_end(server.pid) - began
        for caller in callers:
            caller.close()
    return took


def _stream_drain(setting: Setting, mock: Server, count: int) -> float:
    """Seconds from the end of the last stream to the end of the last process."""
    request = request_bytes(shapes.chat_stream(include_usage=True))
    with gateway(setting, mock.port, workers=count) as server, pinned(setting.load_core):
        streams = {socket.create_connection(("127.0.0.1", server.port), 10): bytearray() for _ in range(STREAMS)}
        for stream in streams:
            stream.sendall(request)
            stream.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        signal_at = time.monotonic() + EVENTS * PACE_MS / 2000
        last, signalled = 0.0, False
        with selectors.DefaultSelector() as selector:
            for stream in streams:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(0.01):
                    stream = key.fileobj
                    assert isinstance(stream, socket.socket)
                    if part := stream.recv(65536):
                        streams[stream] += part
                        last = time.monotonic()
                    else:
                        selector.unregister(stream)
                if not signalled and time.monotonic() >= signal_at:
                    os.kill(server.pid, signal.SIGTERM)
                    signalled = True
        after = await_end(server.pid) - last
        whole = sum(text.endswith(b"0\r\n\r\n") and text.count(b"data: ") == EVENTS for text in streams.values())
        for stream in streams:
            stream.close()
    if whole != STREAMS:
        raise LoadFailedError(f"{whole} of {STREAMS} streams came whole through the drain")
    return after


def _restarts(setting: Setting, mock: Server) -> Table:
    kills = KILLS if setting.runs > 1 else 2
    progress(f"{kills} workers killed")
    times: list[float] = []
    with gateway(setting, mock.port, workers=2) as server, pinned(setting.load_core):
        for _ in range(kills):
            time.sleep(LIVED_S)
            times.append(_restart(server))
    table = Table("A worker of two is killed", ["until its successor has answered", "ms"])
    table.rows += [["median", median(times) * 1000], ["worst", max(times) * 1000]]
    table.notes.append(f"{kills} times, asked over new connections one after another; none was refused or cut.")
    table.verdicts.append(Verdict("restart of a killed worker, worst", max(times) * 1000, TICK_MS, " ms"))
    return table


def _restart(server: Server) -> float:
    """Seconds from SIGKILL to an answer by a worker that was not there before."""
    before = workers(server)
    began = time.monotonic()
    os.kill(before[0], signal.SIGKILL)
    while time.monotonic() < began + 10:
        caller = Caller(server.port)
        try:
            if caller.ask(MODELS) != 200:
                raise LoadFailedError("a request beside a killed worker was refused")
            answered, pid = time.monotonic(), holder(server, caller)
        finally:
            caller.close()
        if pid is not None and pid not in before:
            return answered - began
    raise LoadFailedError("nobody took the place of a killed worker within 10 s")
