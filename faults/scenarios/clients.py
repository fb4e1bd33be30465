"""Clients that misbehave and stay: they read nothing, write for ever, pipeline, and idle by thousands."""

from __future__ import annotations

import asyncio
import resource
import time
from collections import Counter

from faults.client import FAULTY, Client, chat, request, responses
from faults.clock import check, until
from faults.procfs import peak_bytes, reset_peak, resident_bytes
from faults.provider import Healthy
from faults.world import MIB, Scenario, World

HEADER_LIMIT_S = 30.0
"""Seconds from a head's first byte to its last (gw contract, relay)."""
SLOW_CLIENTS = 1000
IDLE_CLIENTS = 10_000
IDLE_BYTES_EACH = 8 * 1024
"""The most that an idle connection may cost the gateway in memory."""
SPARE_FILES = 1000
"""Descriptors that the harness needs for all else."""
AGAIN_BYTES = 2 * MIB
"""What the allocator kept from the first ten thousand must serve the second, but for this much."""
PIPELINED = 100
STALLED = 20


async def second_provider(world: World) -> None:
    """Start another embedded provider, so that what these clients cost it is not taken for the gateway's."""
    folder = world.folder / "busy"
    folder.mkdir()
    busy = Healthy(folder)
    world.to_close.push_async_callback(busy.stop)
    await busy.start()
    world.gateway.providers["busy"] = busy.port


async def reads_nothing(world: World) -> str:
    """Streams of 8 MiB for clients that read none of it: bounded memory, cut after the write timeout."""
    pid = world.gateway.child.pid
    reset_peak(pid)
    before = resident_bytes(pid)
    data = request("/busy/v1/chat/completions", chat(f"mock:bytes={8 * MIB}", stream=True), key=world.key)
    clients = [await world.client() for _ in range(STALLED)]
    for client in clients:
        client.take_little()
        client.send(data)
    world.expected.must += STALLED
    world.expected.outcomes = {"timeout"}
    took = await until(lambda: len(world.gateway.rows(FAULTY)) == STALLED, "every stalled stream cut", 8)
    world.peak_growth = peak_bytes(pid) - before
    check(world.peak_growth < 16 * MIB, f"{world.peak_growth / MIB:.0f} MiB more while nobody read")
    for client in clients:
        client.leave()
    return f"{STALLED} streams of 8 MiB, cut after {took:.1f} s"


async def slowloris(world: World) -> str:
    """Heads a byte a second: each gets 408 and is closed at the header limit."""
    began = time.monotonic()
    clients = await _opened(world, SLOW_CLIENTS)
    ends = [asyncio.get_running_loop().create_task(_until_closed(each), name="slow") for each in clients]
    data = b"POST /openai/v1/responses HTTP/1.1\r\nx-slow: " + b"a" * 100
    for second, byte in enumerate(data):
        if all(end.done() for end in ends):
            break
        for client in clients:
            if not client.writer.transport.is_closing():
                client.send(bytes((byte,)))
        await asyncio.sleep(max(0.0, began + second + 1 - time.monotonic()))
        check(second < HEADER_LIMIT_S + 10, "slow heads outlive the header limit")
    found = [end.result() for end in ends]
    times = sorted(at - began for _, at in found)
    statuses = Counter(status for status, _ in found)
    check(set(statuses) == {408}, f"they saw {dict(statuses)}, expected 408")
    check(times[0] > HEADER_LIMIT_S - 2, f"the first was closed after {times[0]:.1f} s")
    return f"{SLOW_CLIENTS} connections, closed after {times[0]:.1f} to {times[-1]:.1f} s"


async def _until_closed(client: Client) -> tuple[int, float]:
    answer = await client.answer(HEADER_LIMIT_S + 15)
    await client.ended(5)
    at = time.monotonic()
    client.leave()
    return answer.status, at


async def _opened(world: World, count: int) -> list[Client]:
    """Open connections two hundred at a time, from several addresses: one has not ports enough for all."""
    clients: list[Client] = []
    while len(clients) < count:
        sources = (f"127.0.0.{2 + (len(clients) + number) % 8}" for number in range(min(200, count - len(clients))))
        clients += await asyncio.gather(*(world.client(source) for source in sources))
    return clients


async def pipelines(world: World) -> str:
    """A hundred requests in one write come back in order."""
    data = b"".join(
        request("/openai/v1/responses", responses("gpt-x", f"number {number};"), key=world.key)
        if number % 2
        else request("/openai/v1/chat/completions", chat("gpt-x", f"number {number};", stream=True), key=world.key)
        for number in range(PIPELINED)
    )
    client = await world.client()
    client.send(data)
    world.expected.must += PIPELINED
    world.expected.outcomes = {"ok"}
    for number in range(PIPELINED):
        answer = await client.answer()
        check(answer.whole and answer.status == 200, f"answer {number}: {answer.status}")
        check(f"{number};".encode() in answer.body, f"answer {number} is of another request: {answer.body[:200]!r}")
    client.leave()
    return f"{PIPELINED} answers in order"


async def idles(world: World) -> str:
    """Ten thousand connections that say nothing, then all leave; later twice the same costs nothing more."""
    pid = world.gateway.child.pid
    before = resident_bytes(pid)
    count = min(IDLE_CLIENTS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES)
    clients = await _opened(world, count)
    answers = world.background.answers
    await asyncio.sleep(1.0)
    check(world.background.answers > answers, "nobody was served while they idled")
    world.peak_growth = resident_bytes(pid) - before
    check(
        world.peak_growth < count * IDLE_BYTES_EACH,
        f"{world.peak_growth / count:.0f} bytes for each idle connection",
    )
    for client in clients:
        client.leave()
    await asyncio.sleep(0.5)
    first = resident_bytes(pid)
    for client in await _opened(world, count):
        client.leave()
    await asyncio.sleep(0.5)
    again = resident_bytes(pid) - first
    check(again < AGAIN_BYTES, f"{again / MIB:.1f} MiB more after the same once more: it is not reused")
    return f"twice {count} connections, {world.peak_growth / count / 1024:.1f} KiB each"


SCENARIOS = [
    Scenario("clients.read_nothing", "read nothing", reads_nothing, prepare=second_provider),
    Scenario("clients.pipeline", "pipeline", pipelines),
    Scenario("clients.idle", "idle", idles, {"idle_timeout_secs": "60"}, limit_s=40, growth=64 * MIB),
    Scenario("clients.slowloris", "a byte a second", slowloris, limit_s=50, growth=16 * MIB),
]
