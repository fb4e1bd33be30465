"""Rows that cannot be written: a pipe that nobody reads, a disk that is full. They wait, and come whole."""

from __future__ import annotations

import asyncio
import resource

from faults.client import FAULTY, chat, request
from faults.clock import check, until
from faults.procfs import tree
from faults.world import Scenario, World

REQUESTS = 300
STEADY_CLIENTS = 12
STEADY_EVERY_S = 0.02


async def _asked(world: World) -> None:
    data = request("/openai/v1/chat/completions", chat("gpt-x"), key=world.key)
    for _ in range(REQUESTS // 20):
        answers = await asyncio.gather(*(world.ask(data) for _ in range(20)))
        check(all(answer.status == 200 for answer in answers), "a request was refused while rows waited")
    world.expected.must += REQUESTS
    world.expected.outcomes = {"ok"}


async def blocked(world: World) -> str:
    """Nobody reads the pipe of rows for a while."""
    world.gateway.reading = False
    before = len(world.gateway.rows(FAULTY))
    await _asked(world)
    check(len(world.gateway.rows(FAULTY)) == before, "the pipe was read: nothing was proved")
    world.gateway.reading = True
    took = await until(lambda: len(world.gateway.rows(FAULTY)) == REQUESTS, "every row")
    return f"{REQUESTS} rows waited, all there {took * 1000:.0f} ms after the release"


async def disk_full(world: World) -> str:
    """No file may grow past where the rows are now and half a row more; then it may again.

    RLIMIT_FSIZE fails a write as a full disk does, a part of it first, and needs no privilege.
    """
    pids = tree(world.gateway.child.pid)
    path = world.gateway.rows_path
    _, hard = resource.prlimit(pids[0], resource.RLIMIT_FSIZE)
    bound = path.stat().st_size + 1000
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (bound, hard))
    await _asked(world)
    size = path.stat().st_size
    check(size == bound, f"the file has {size} bytes, the limit is {bound}: nothing was proved")
    check(not path.read_bytes().endswith(b"\n"), "the limit fell between two rows: nothing was proved")
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
    took = await until(lambda: len(world.gateway.rows(FAULTY)) == REQUESTS, "every row")
    return f"{REQUESTS} rows waited, the first half written, all whole {took * 1000:.0f} ms later"


async def _steady(world: World, stop: asyncio.Event) -> None:
    """Ask again and again on one connection."""
    data = request("/openai/v1/chat/completions", chat("gpt-x"), key=world.key)
    client = await world.client()
    while not stop.is_set():
        client.send(data)
        answer = await client.answer()
        check(answer.status == 200, f"under load a client saw {answer.status}")
        world.expected.must += 1
        await asyncio.sleep(STEADY_EVERY_S)
    client.leave()


async def hiccup(world: World) -> str:
    """A reader that pauses once, for a tenth of a second, under steady load: what waited is soon worked off."""
    stop = asyncio.Event()
    load = [asyncio.get_running_loop().create_task(_steady(world, stop)) for _ in range(STEADY_CLIENTS)]
    await asyncio.sleep(0.5)
    world.gateway.reading = False
    await asyncio.sleep(0.1)
    world.gateway.reading = True
    await asyncio.sleep(2.0)
    waiting = world.expected.must - len(world.gateway.rows(FAULTY))
    stop.set()
    await asyncio.gather(*load)
    check(waiting < 100, f"2 s after a pause of 100 ms {waiting} rows still wait, of {world.expected.must} so far")
    return f"{world.expected.must} rows, {waiting} on their way 2 s later"


SCENARIOS = [
    Scenario("output.hiccup", "stdout pauses for 100 ms", hiccup, piped=True),
    Scenario("output.blocked", "stdout blocked", blocked, piped=True),
    Scenario("output.full", "disk full", disk_full),
]
