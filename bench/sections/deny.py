"""The deny-set behind a real nats-server: a million entries in one worker, and how soon a write is enforced by two."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench import nats_store
from bench.gateway import KID, SEED, await_said, gateway, said
from bench.load import LoadFailedError
from bench.nginx import json_mock
from bench.procfs import PeakResident, cpu_seconds, resident_bytes
from bench.reach import Caller, get, one_each, pinned
from bench.report import Table, Verdict
from bench.servers import free_port
from bench.setting import progress
from beyond_gateway.managed_key import mint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.servers import Server
    from bench.setting import Setting

# A quick run has no targets: they are for the million.
DENIED, QUICK = 1_000_000, 100_000
PUTS = 60
# An odd multiplier spreads counted tenants over all 64 bits, which is the most memory that a tenant can take.
SPREAD = 0x9E3779B97F4A7C15
# The cheapest request that a provider answers; it is refused before that where the tenant is denied.
PATH = "/openai/v1/models"
FOLLOWED, RESTORED = "deny-set is followed", "deny-set from snapshot"
LOAD_LIMIT_S, SETTLE_S = 120.0, 0.5


@dataclass(frozen=True, slots=True)
class Loaded:
    """A worker with its entries: seconds and CPU seconds since the start of the process, and resident megabytes."""

    label: str
    seconds: float
    cpu: float
    resident: float
    peak: float


def run(setting: Setting) -> list[Table]:
    """Memory and seconds for many entries, then milliseconds for one."""
    with ExitStack() as stack:
        mock = stack.enter_context(json_mock(setting))
        store = stack.enter_context(nats_store.nats_server(setting))
        return [_many(setting, mock, store), _one(setting, mock, store)]


def _many(setting: Setting, mock: Server, store: Server) -> Table:
    full = setting.runs > 1
    tenants = [number * SPREAD % 2**64 for number in range(1, (DENIED if full else QUICK) + 1)]
    progress(f"{len(tenants):,} entries into nats-server")
    bucket, began = nats_store.Bucket(store, "many"), time.monotonic()
    bucket.fill(tenants)
    bucket.close()
    filled = time.monotonic() - began
    with pinned(setting.load_core):
        loads = _loads(setting, mock, nats_store.url(store), tenants)
    title = f"One worker with {len(tenants):,} denied tenants"
    table = Table(title, ["deny-set", "s from start", "CPU s", "MB", "peak MB"])
    table.rows += [[load.label, load.seconds, load.cpu, load.resident, load.peak] for load in loads]
    table.notes += [
        "Seconds from the start of the process until denied tenants get 402; until it serves, where nobody is denied.",
        f"nats-server took the entries in {filled:.1f} s. It ran on the other core, as the client that watches.",
    ]
    _, scanned, restored = loads
    if full:
        held = max(scanned.resident, restored.resident)
        table.verdicts += [
            Verdict("resident memory with a million denied tenants", held, 120, " MB"),
            Verdict("a million denied tenants from NATS", scanned.seconds, 10, " s"),
        ]
    else:
        table.notes.append(f"A quick run has a tenth of the entries and no targets, which are for {DENIED:,}.")
    return table


def _loads(setting: Setting, mock: Server, url: str, tenants: Sequence[int]) -> list[Loaded]:
    """No entry, all of the store, and all of the snapshot that the second left, in a process that reaches no store."""
    kept = {"config_bucket": "many", "snapshot_path": str(setting.tmp / "deny.snapshot")}
    away = f"nats://127.0.0.1:{free_port()}"
    return [
        _loaded(setting, mock, "none", [], ""),
        _loaded(setting, mock, "from NATS", tenants, FOLLOWED, nats_url=url, **kept),
        _loaded(setting, mock, "from the snapshot, NATS away", tenants, RESTORED, nats_url=away, **kept),
    ]


def _loaded(
    setting: Setting, mock: Server, label: str, tenants: Sequence[int], line: str, **settings: str | int
) -> Loaded:
    """A worker that has said `line` with all of `tenants`, the first, a middle and the last of whom get 402."""
    progress(f"deny-set: {label}")
    began = time.monotonic()
    with gateway(setting, mock.port, **settings) as server, PeakResident(server.pid) as resident:
        if line:
            await_said(setting, server, line, limit_s=LOAD_LIMIT_S)
        caller, some = Caller(server.port), tenants[:: len(tenants) // 2 - 1] if tenants else [1]
        statuses = {caller.ask(_request(tenant)) for tenant in some}
        took, cpu = time.monotonic() - began, cpu_seconds(server.pid)
        caller.close()
        if statuses != {402 if tenants else 200}:
            raise LoadFailedError(f"{label}: {len(some)} tenants got {statuses}")
        if line and said(setting, server, line)[0]["entries"] != len(tenants):
            raise LoadFailedError(f"{label}: the log says {said(setting, server, line)}")
        # What a scan needed beside the set is freed a little after it.
        time.sleep(SETTLE_S)
        return Loaded(label, took, cpu, resident_bytes(server.pid) / 1e6, resident.peak_bytes / 1e6)


def _request(tenant: int) -> bytes:
    return get(PATH, mint(SEED, KID, tenant, 1))


def _one(setting: Setting, mock: Server, store: Server) -> Table:
    puts = PUTS if setting.runs > 1 else PUTS // 4
    progress(f"{puts} writes, each until two workers enforce it")
    bucket = nats_store.Bucket(store, "one")
    settings = {"nats_url": nats_store.url(store), "config_bucket": "one"}
    denied: list[float] = []
    allowed: list[float] = []
    rounds: list[float] = []
    with gateway(setting, mock.port, workers=2, **settings) as server, pinned(setting.load_core):
        await_said(setting, server, FOLLOWED, times=2)
        callers = list(one_each(server, _request(0)).values())
        for tenant in range(1, puts + 1):
            request = _request(tenant)
            # The first answer has the key's verification in it, and every worker makes its own.
            _until(callers, request, 200, lambda: None)
            rounds.append(_until(callers, request, 200, lambda: None))
            denied.append(_until(callers, request, 402, lambda tenant=tenant: bucket.put(tenant)))
            allowed.append(_until(callers, request, 200, lambda tenant=tenant: bucket.delete(tenant)))
        for caller in callers:
            caller.close()
    bucket.close()
    table = Table("A write to NATS, until both of two workers enforce it", ["write", "median ms", "p90 ms", "worst ms"])
    table.rows += [["put, until 402", *_spread(denied)], ["delete, until 200", *_spread(allowed)]]
    asked = "each worker is asked over its own connection as fast as it answers"
    table.notes += [
        f"{puts} tenants; {asked}, so a figure has up to one round of {median(rounds) * 1000:.2f} ms in it.",
        "Store, mock and client share the other core.",
    ]
    table.verdicts += [
        Verdict("a put enforced by both workers, median", median(denied) * 1000, 5, " ms"),
        Verdict("a put or delete enforced by both workers, worst", max(*denied, *allowed) * 1000, 1000, " ms"),
    ]
    return table


def _until(callers: Sequence[Caller], request: bytes, status: int, write: Callable[[], None]) -> float:
    """Seconds from before `write` until every worker has answered `request` with `status`."""
    began = time.monotonic()
    write()
    waiting = list(callers)
    while waiting:
        for caller in waiting:
            caller.send(request)
        waiting = [caller for caller in waiting if caller.status() != status]
        if time.monotonic() - began > 10:
            raise LoadFailedError(f"{len(waiting)} of {len(callers)} workers still do not answer {status} after 10 s")
    return time.monotonic() - began


def _spread(seconds: list[float]) -> list[float]:
    ordered = sorted(seconds)
    return [1000 * value for value in (median(ordered), ordered[len(ordered) * 9 // 10], ordered[-1])]
