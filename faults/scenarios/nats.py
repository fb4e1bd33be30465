"""The store of the deny-set goes away in every way: who is denied stays denied, nobody else is ever refused."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from faults.admin import metrics_of
from faults.client import chat, managed_key, request
from faults.clock import WrongError, check
from faults.nats_server import NatsServer
from faults.world import Scenario, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DENIED, OTHER = 3, 4
ENFORCED_S = 1.0
"""Seconds from a write to its being enforced everywhere (gw contract, deny-set)."""
RECONNECT_S = 6.0
"""Seconds from a server's return until it is watched again: its pauses double from one."""
FROZEN_S = 8.0
THAWED_S = 14.0


async def status(world: World, tenant: int) -> int:
    """Ask as a tenant; a served request owes its row."""
    answer = await world.ask(request("/openai/v1/chat/completions", chat("gpt-x"), key=managed_key(tenant)))
    world.expected.must += answer.status == 200
    return answer.status


async def comes(world: World, tenant: int, wanted: int, seconds: float) -> float:
    """Ask until the answer is `wanted`; return the seconds it took. Raises WrongError."""
    began = time.monotonic()
    while (seen := await status(world, tenant)) != wanted:
        if time.monotonic() - began > seconds:
            raise WrongError(f"tenant {tenant} still saw {seen}, not {wanted}, after {seconds:g} s")
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def stays(world: World, seconds: float) -> None:
    """The last known set is enforced: one tenant is denied, another served, all the time."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        check(await status(world, DENIED) == 402, "a denied tenant was served")
        check(await status(world, OTHER) == 200, "another tenant was refused")
        await asyncio.sleep(0.05)


def _scenario(
    name: str,
    did: str,
    play: Callable[[World, NatsServer], Awaitable[str]],
    *,
    starts: bool = True,
    limit_s: float = 30,
    ttl_s: float | None = None,
    module: str = "beyond_gateway",
) -> Scenario:
    servers: dict[int, NatsServer] = {}

    async def prepare(world: World) -> None:
        server = servers[id(world)] = NatsServer(world.folder, ttl_s)
        world.gateway.settings["nats_url"] = f'"{server.url}"'
        world.to_close.callback(server.kill)
        if starts:
            await server.start()
            await server.deny(DENIED)

    async def run(world: World) -> str:
        server = servers.pop(id(world))
        if starts:
            await comes(world, DENIED, 402, 5)
        return await play(world, server)

    return Scenario(f"nats.{name}", did, run, prepare=prepare, limit_s=limit_s, module=module)


async def killed(world: World, server: NatsServer) -> str:
    await stays(world, 0.5)
    server.kill()
    await stays(world, 3.0)
    metrics = await metrics_of(world.gateway.admin_port)
    check(metrics is not None and metrics["ai_nats_connected"] == 0, "the metrics say that NATS is connected")
    return "the set is kept"


async def restarted(world: World, server: NatsServer) -> str:
    await stays(world, 0.2)
    server.kill()
    await stays(world, 1.0)
    await server.start()
    await server.deny(OTHER, "fraud")
    again = await comes(world, OTHER, 403, RECONNECT_S)
    await server.allow(DENIED)
    freed = await comes(world, DENIED, 200, ENFORCED_S)
    await server.deny(DENIED)
    denied = await comes(world, DENIED, 402, ENFORCED_S)
    return (
        f"watched again after {again:.1f} s, then access back in {freed * 1000:.0f} ms, gone in {denied * 1000:.0f} ms"
    )


async def wiped(world: World, server: NatsServer) -> str:
    await stays(world, 0.2)
    server.kill()
    server.wipe()
    await server.start()
    await stays(world, 1.0)
    await server.make_bucket()
    freed = await comes(world, DENIED, 200, RECONNECT_S)
    await server.deny(OTHER, "fraud")
    denied = await comes(world, OTHER, 403, ENFORCED_S)
    return f"access back {freed:.1f} s after a new bucket, a new entry holds in {denied * 1000:.0f} ms"


async def frozen(world: World, server: NatsServer) -> str:
    await stays(world, 0.2)
    server.freeze()
    try:
        await stays(world, FROZEN_S)
    finally:
        server.thaw()
    await server.deny(OTHER, "fraud")
    again = await comes(world, OTHER, 403, THAWED_S)
    return f"for {FROZEN_S:.0f} s, a new entry holds {again:.1f} s after the thaw"


async def absent(world: World, server: NatsServer) -> str:
    check(await status(world, DENIED) == 200, "refused without a deny-set")
    await server.start()
    await server.deny(DENIED)
    found = await comes(world, DENIED, 402, RECONNECT_S)
    # The gateway's connection to it was not in the baseline.
    server.kill()
    return f"the first entry ever holds {found:.1f} s after the server came"


async def clock_steps(world: World, server: NatsServer) -> str:
    """The time of day jumps by up to a year: an entry lives as long as its store says, not our clock."""
    await stays(world, 3.0)
    await server.allow(DENIED)
    freed = await comes(world, DENIED, 200, ENFORCED_S)
    return f"an entry of an hour held for 3 s, access back {freed * 1000:.0f} ms after its end"


SCENARIOS = [
    _scenario("killed", "killed", killed),
    _scenario("restarted", "killed and restarted", restarted),
    _scenario("wiped", "its store wiped", wiped),
    _scenario("frozen", "frozen", frozen, limit_s=45),
    _scenario("absent", "away at boot", absent, starts=False),
    _scenario("clock", "time of day stepped", clock_steps, ttl_s=3600, module="faults.stepped_clock"),
]
