"""Several workers: one pipe for all their rows, one of them killed, all of them told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter

from faults.admin import metrics_of
from faults.client import FAULTY, Client, chat, request
from faults.clock import check, until
from faults.procfs import any_alive, children, servers_of
from faults.streams import ends_of, rest_of, streams
from faults.world import MIB, Scenario, World

WORKERS = 8
LOAD = 60
ROUNDS = 20
STREAMS = 60


async def _load(world: World, rounds: int) -> None:
    data = request("/openai/v1/chat/completions", chat("gpt-x"), key=world.key)
    for _ in range(rounds):
        answers = await asyncio.gather(*(world.ask(data) for _ in range(LOAD)))
        seen = Counter(answer.status for answer in answers)
        check(set(seen) == {200}, f"under load clients saw {dict(seen)}")
        world.expected.must += LOAD
    world.expected.outcomes = {"ok"}


async def one_pipe(world: World) -> str:
    """Eight processes write to one small pipe: no line is torn."""
    pids = children(world.gateway.child.pid)
    check(len(pids) == WORKERS, f"{len(pids)} workers, not {WORKERS}")
    await _load(world, ROUNDS)
    await until(lambda: len(world.gateway.rows(FAULTY)) == LOAD * ROUNDS, "every row, whole")
    return f"{WORKERS} workers, {LOAD * ROUNDS} rows of new connections"


def _port(client: Client) -> int:
    return int(client.writer.get_extra_info("sockname")[1])


async def killed(world: World) -> str:
    """SIGKILL for one of two: the other's streams end well, a successor is there at once, what was lost is counted."""
    clients = await streams(world, STREAMS, "mock:events=10,gap=0.2")
    held = servers_of(world.gateway.port, children(world.gateway.child.pid))
    owners = {port: held[port] for port in map(_port, clients) if port in held}
    check(len(owners) == STREAMS, f"only {len(owners)} of {STREAMS} connections have a known worker")
    victim, survivor = children(world.gateway.child.pid)
    world.background.forgiving = True
    os.kill(victim, signal.SIGKILL)
    took = await until(
        lambda: len(pids := children(world.gateway.child.pid)) == 2 and victim not in pids, "a successor", 3
    )
    await asyncio.sleep(1.0)
    world.background.forgiving = False
    broken: set[int] = set()
    for client in clients:
        port = _port(client)
        async with asyncio.timeout(10):
            if b"[DONE]" not in await rest_of(client):
                broken.add(port)
    theirs = {port for port, pid in owners.items() if pid == victim}
    check(broken == theirs, f"{len(broken)} streams broke, the killed worker had {len(theirs)}")
    check(survivor in children(world.gateway.child.pid), "the other worker is gone too")
    await _load(world, 3)
    await world.background.stop()
    return f"{await _accounted(world)}; {len(theirs)} of {STREAMS} streams broke, successor after {took * 1000:.0f} ms"


async def _accounted(world: World) -> str:
    """Rows and what the metrics call lost are together what was admitted."""
    metrics = await metrics_of(world.gateway.admin_port)
    check(metrics is not None, "no metrics")
    lost, admitted = (int((metrics or {})[name]) for name in ("ai_rows_lost_total", "ai_managed_admitted_total"))
    await until(lambda: len(world.gateway.rows()) + lost >= admitted, f"{admitted} rows but for {lost} lost")
    world.expected.lost, world.expected.restarts = lost, 1
    return f"{len(world.gateway.rows())} rows + {lost} lost = {admitted} admitted"


async def terminated(world: World) -> str:
    """SIGTERM to the parent: the workers' streams end well, then all of them are gone."""
    clients = await streams(world, STREAMS, "mock:events=6,gap=0.2")
    await world.background.stop()
    pids = children(world.gateway.child.pid)
    world.gateway.terminate()
    ends = await ends_of(clients, 10)
    check(all(b"[DONE]" in end for end in ends), "a stream was not whole")
    await world.gateway.child.ended(5)
    check(not any_alive(pids), "a worker outlives its parent")
    world.expected.outcomes = {"ok"}
    return f"{STREAMS} streams whole"


async def orphaned(world: World) -> str:
    """SIGKILL for the parent: the workers finish their streams and end, so that no port stays taken."""
    clients = await streams(world, STREAMS, "mock:events=6,gap=0.2")
    await world.background.stop()
    pids = children(world.gateway.child.pid)
    os.kill(world.gateway.child.pid, signal.SIGKILL)
    ends = await ends_of(clients, 10)
    check(all(b"[DONE]" in end for end in ends), "a stream was not whole")
    await until(lambda: not any_alive(pids), "the workers' end", 5)
    world.expected.outcomes = {"ok"}
    return f"{STREAMS} streams whole, workers gone"


SCENARIOS = [
    Scenario("workers.pipe", "one pipe", one_pipe, {"workers": str(WORKERS)}, piped=True, growth=32 * MIB),
    Scenario("workers.kill", "SIGKILL one", killed, {"workers": "2"}, background=3, growth=16 * MIB),
    Scenario("workers.sigterm", "SIGTERM", terminated, {"workers": "2"}, ends=True),
    Scenario("workers.orphans", "SIGKILL the parent", orphaned, {"workers": "2"}, ends=True, status=-9),
]
