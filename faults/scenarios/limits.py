"""Limits: no descriptors left, a runaway key, a flood of forged keys, a provider whose breaker opens."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING

from faults.client import BYO_KEY, Answer, Client, chat, managed_key, once, request
from faults.clock import check
from faults.procfs import descriptors
from faults.provider import USAGE, Line
from faults.world import Scenario, World

if TYPE_CHECKING:
    from collections.abc import Callable

OPEN_FILES = 256
HOLDERS = 400
NEWCOMERS = 20
FORGERS = 16
FLOOD_S = 2.0
LIMIT_RPS = 250
"""More than a legitimate client of this harness ever asks, less than a client without pause does."""
RESET_S = 1.0
RUNAWAY = 5
"""The tenant whose key runs away."""


async def _hold(port: int) -> Client | None:
    with contextlib.suppress(OSError):
        return await Client.open(port, seconds=2)
    return None


async def descriptors_run_out(world: World) -> str:
    """More connections than descriptors: known clients are served on, new ones answered or closed, later all served."""
    world.background.fresh_connections = False
    await asyncio.sleep(0.3)
    held = [client for client in await asyncio.gather(*(_hold(world.gateway.port) for _ in range(HOLDERS))) if client]
    await asyncio.sleep(0.5)
    open_now = descriptors(world.gateway.child.pid)
    check(open_now <= OPEN_FILES, f"{open_now} descriptors, the limit was not in force")
    data = request("/openai/v1/chat/completions", chat("gpt-x"), key=BYO_KEY)
    port = world.gateway.port
    began = time.monotonic()
    seen = Counter(each.status for each in await asyncio.gather(*(once(port, data, 3) for _ in range(NEWCOMERS))))
    took = time.monotonic() - began
    check(set(seen) <= {0, 503} and took < 3, f"newcomers saw {dict(seen)} after {took:.1f} s")
    answers = world.background.answers
    await asyncio.sleep(0.5)
    check(world.background.answers > answers, "known clients were not served")
    closed = HOLDERS - len(held) + sum(await asyncio.gather(*(client.ended(0.3) for client in held)))
    check(closed >= HOLDERS - OPEN_FILES, f"only {closed} were turned away")
    for client in held:
        client.leave()
    await asyncio.sleep(0.5)
    world.background.fresh_connections = True
    later = Counter(each.status for each in await asyncio.gather(*(once(port, data, 3) for _ in range(NEWCOMERS))))
    check(set(later) == {200}, f"after the others had left newcomers saw {dict(later)}")
    return f"{closed} of {HOLDERS} turned away"


async def _flood(world: World, key: Callable[[int], str], seconds: float) -> list[Answer]:
    """Ask without pause on a few connections; return every answer."""
    body = chat("gpt-x")
    ends_at = time.monotonic() + seconds
    answers: list[Answer] = []

    async def one(number: int) -> None:
        client = await world.client()
        while time.monotonic() < ends_at:
            number += FORGERS
            client.send(request("/openai/v1/chat/completions", body, key=key(number)))
            answer = await client.answer()
            check(answer.whole, "a flooding client was not answered")
            answers.append(answer)
        client.leave()

    await asyncio.gather(*(one(number) for number in range(FORGERS)))
    return answers


async def forged(world: World) -> str:
    """Managed keys of a right form and a wrong signature, each another one."""
    good, alphabet = managed_key(9), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    def forge(number: int) -> str:
        middle = "".join(alphabet[number >> shift & 63] for shift in (0, 6, 12, 18))
        return f"{good[:-40]}{middle}{good[-36:]}"

    seen = Counter(answer.status for answer in await _flood(world, forge, FLOOD_S))
    check(set(seen) <= {401, 429}, f"forged keys saw {dict(seen)}")
    return f"{sum(seen.values()) / FLOOD_S:.0f} a second saw {' or '.join(map(str, sorted(seen)))}"


async def runaway(world: World) -> str:
    """One key without pause passes at the limit and no faster; everybody else's is not counted against it."""
    key = managed_key(RUNAWAY)
    answers = await _flood(world, lambda _: key, FLOOD_S)
    seen = Counter(answer.status for answer in answers)
    world.expected.must += seen[200]
    check(set(seen) == {200, 429}, f"a runaway key saw {dict(seen)}")
    windows = int(FLOOD_S) + 2
    check(seen[200] <= windows * LIMIT_RPS * 1.1, f"{seen[200]} passed in {windows} windows of {LIMIT_RPS}")
    check(seen[200] >= LIMIT_RPS, f"only {seen[200]} passed")
    waits = {answer.headers.get("retry-after") for answer in answers if answer.status == 429}
    check(waits == {"1"}, f"Retry-After {waits}")
    return f"{seen[200]} passed, {seen[429]} saw 429"


async def breaker(world: World) -> str:
    """A provider that fails is left alone, probed once, and used again when it works; the others notice nothing."""

    async def failing(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async def working(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(USAGE), USAGE))

    data = request("/peer/v1/chat/completions", chat("m-1"), key=BYO_KEY)
    world.peer.script = failing
    opened = [(await world.ask(data)).status for _ in range(20)]
    check(opened == [500] * 20, f"a failing provider was answered for: {Counter(opened)}")
    seen = Counter(answer.status for answer in await asyncio.gather(*(world.ask(data) for _ in range(20))))
    asked = world.peer.accepted
    check(set(seen) == {503} and asked == 20, f"with an open breaker clients saw {dict(seen)}, {asked} went out")
    await asyncio.sleep(RESET_S)
    probes = Counter(answer.status for answer in await asyncio.gather(*(world.ask(data) for _ in range(20))))
    check(world.peer.accepted == asked + 1, f"{world.peer.accepted - asked} probes at once, saw {dict(probes)}")
    world.peer.script = working
    await asyncio.sleep(RESET_S)
    first = (await world.ask(data)).status
    later = Counter(answer.status for answer in await asyncio.gather(*(world.ask(data) for _ in range(20))))
    check(first == 200 and set(later) == {200}, f"a working provider was answered {first}, then {dict(later)}")
    return "opens at 20, one probe, closes"


SCENARIOS = [
    Scenario(
        "limits.open_files",
        "no descriptors left",
        descriptors_run_out,
        before=("sh", "-c", f'ulimit -n {OPEN_FILES}; exec "$@"', "sh"),
    ),
    Scenario("limits.forged", "forged keys", forged),
    Scenario("limits.runaway", "a runaway key", runaway, {"rate_limit_rps": str(LIMIT_RPS), "workers": "2"}),
    Scenario(
        "limits.breaker",
        "a provider fails",
        breaker,
        {"circuit_breaker_threshold": "20", "circuit_breaker_reset_secs": str(RESET_S)},
    ),
]
