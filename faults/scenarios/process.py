"""Signals and the clock: a shutdown under a thousand streams, a reload every 100 ms, a time of day that jumps."""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import datetime

from faults.admin import readiness_of
from faults.client import FAULTY, NOTHING, Answer, chat, request
from faults.clock import check, until
from faults.streams import ends_of, streams
from faults.world import MIB, Scenario, World

STREAMS = 1000
RELOADS = 100
RELOAD_EVERY_S = 0.1
LONG_STREAMS = 20
LAST_EXIT_S = 2.0
"""Seconds from the last stream's end to the process's."""


async def terminated(world: World) -> str:
    """Within the grace period every stream ends as it would have."""
    clients = await streams(world, STREAMS, "mock:events=6,gap=0.6")
    await world.background.stop()
    world.gateway.terminate()
    await asyncio.sleep(0.2)
    check(await readiness_of(world.gateway.admin_port) == 503, "ready while draining")
    late = await _ask_anyway(world)
    check(late.status in (0, 503), f"a new client was answered {late.status} while draining")
    ends = await ends_of(clients, 15)
    ended = time.monotonic()
    whole = sum(end.endswith(b"0\r\n\r\n") and b"[DONE]" in end for end in ends)
    check(whole == STREAMS, f"{STREAMS - whole} streams were not whole")
    await world.gateway.child.ended(10)
    took = time.monotonic() - ended
    check(took < LAST_EXIT_S, f"it ended {took:.1f} s after the last stream")
    world.expected.outcomes = {"ok"}
    return f"{whole} streams whole, exit {took:.1f} s after the last"


async def _ask_anyway(world: World) -> Answer:
    try:
        return await world.ask(request("/openai/v1/chat/completions", chat("gpt-x"), key=world.key), 2)
    except OSError:
        return NOTHING


async def cut_short(world: World) -> str:
    """Where the grace is over first every stream is cut and billed for what came."""
    clients = await streams(world, STREAMS, "mock:events=400,gap=0.6")
    await world.background.stop()
    began = time.monotonic()
    world.gateway.terminate()
    ends = await ends_of(clients, 15)
    clean = sum(end.endswith(b"0\r\n\r\n") for end in ends)
    check(not clean, f"{clean} cut streams look complete")
    await world.gateway.child.ended(10)
    took = time.monotonic() - began
    check(took < 6.0, f"it ended {took:.1f} s after the signal, the grace was 0.5 s")
    world.expected.outcomes = {"cut_short"}
    free = sum(not row["usage_estimated"] for row in world.gateway.rows(FAULTY))
    check(not free, f"{free} cut streams have no estimate")
    return f"{STREAMS} cut, ended after {took:.1f} s"


async def reloads(world: World) -> str:
    """Settings that change ten times a second: nothing fails, each is logged, the last is in force."""
    clients = await streams(world, LONG_STREAMS, "mock:events=100,gap=0.09")
    extra = {"extra": world.healthy.port}
    plain = dict(world.gateway.providers)
    for number in range(RELOADS):
        world.gateway.providers = plain if number % 2 else plain | extra
        world.gateway.write_config()
        world.gateway.child.signal(signal.SIGHUP)
        await asyncio.sleep(RELOAD_EVERY_S)
    ends = await ends_of(clients, 10)
    check(all(b"[DONE]" in end for end in ends), "a stream was not whole")
    world.expected.outcomes = {"ok"}

    def logged() -> int:
        return sum("reload" in str(line["message"]) for line in world.gateway.log())

    data = request("/extra/v1/chat/completions", chat("gpt-x"), key=world.key)
    answer = await world.ask(data)
    check(answer.status == 404, f"a provider that was taken away answers {answer.status}")
    world.gateway.providers = plain | extra
    world.gateway.write_config()
    world.gateway.child.signal(signal.SIGHUP)
    await until(lambda: logged() >= RELOADS + 1, f"{RELOADS + 1} lines about a reload, there are {logged()}", 2)
    answer = await world.ask(data)
    check(answer.status == 200, f"a provider that was added answers {answer.status}")
    world.expected.must += 1
    kept = await world.healthy.open_connections()
    check(kept < 100, f"{kept} connections to the provider after {RELOADS} reloads")
    return f"{RELOADS} times, {logged()} logged, {LONG_STREAMS} streams whole, {kept} provider connections"


async def clock_steps(world: World) -> str:
    """The time of day jumps by up to a year every 70 ms; durations do not notice."""
    data = request("/openai/v1/chat/completions", chat("mock:events=5,gap=0.03", stream=True), key=world.key)
    for _ in range(10):
        answers = await asyncio.gather(*(world.ask(data) for _ in range(10)))
        check(all(answer.whole for answer in answers), "a stream was not whole")
        world.expected.must += 10
    world.expected.outcomes = {"ok"}
    await until(lambda: len(world.gateway.rows(FAULTY)) == 100, "all rows")
    lines = world.gateway.lines()
    times = [datetime.fromisoformat(line["timestamp"]).timestamp() for line in lines]
    check(max(times) - min(times) > 86_400, "the clock did not jump: nothing was proved")
    took = [row[name] for row in world.gateway.rows() for name in ("latency_ms", "ttft_ms")]
    check(min(took) >= 0 and max(took) < 5000, f"durations from {min(took)} to {max(took)} ms")
    return f"durations {min(took)} to {max(took)} ms over jumps of {(max(times) - min(times)) / 86_400:.0f} days"


SCENARIOS = [
    Scenario("process.sigterm", "SIGTERM", terminated, limit_s=40, ends=True),
    Scenario(
        "process.sigterm_cut",
        "SIGTERM, 0.5 s of grace",
        cut_short,
        {"shutdown_grace_period_secs": "0.5"},
        limit_s=40,
        ends=True,
    ),
    Scenario("process.sighup", "SIGHUP every 100 ms", reloads, limit_s=30, growth=12 * MIB, background=2),
    Scenario(
        "process.clock", "time of day stepped (replaced in the process)", clock_steps, module="faults.stepped_clock"
    ),
]
