"""Clients that vanish, by FIN and by RST, at every stage of a request: cancelled at once, settled once, never free."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faults.client import BYO_KEY, FAULTY, chat, request, responses
from faults.clock import check, until
from faults.provider import EVENT, SSE_HEAD, Line
from faults.world import Scenario, World

if TYPE_CHECKING:
    from collections.abc import Callable

EACH = 10
"""Clients that vanish at a stage by FIN, and as many by RST, and as many BYO."""


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a client goes before it vanishes. `events` must have come, else `pause_s` passes."""

    did: str
    data: Callable[[str], bytes]
    admitted: bool = True
    estimated: bool = False
    events: bool = False
    pause_s: float = 0.2


def _half_a_head(key: str) -> bytes:
    return request("/openai/v1/responses", key=key)[:-10]


def _a_head(key: str) -> bytes:
    return request("/openai/v1/responses", key=key, length=5000)


def _half_a_body(key: str) -> bytes:
    return request("/openai/v1/responses", b'{"model":"m-1","input":"' + b"x" * 2000, key=key, length=5000)


def _half_a_chat(key: str) -> bytes:
    return request("/openai/v1/chat/completions", b'{"model":"m-1","x":"' + b"x" * 2000, key=key, length=5000)


def _a_question(key: str) -> bytes:
    return request("/openai/v1/responses", responses("mock:stall=8"), key=key)


def _a_stream(key: str) -> bytes:
    return request("/openai/v1/chat/completions", chat("mock:events=400,gap=0.02", stream=True), key=key)


def _all_but_its_end(key: str) -> bytes:
    return request("/peer/v1/responses", responses("m-1", stream=True), key=key)


async def all_but_the_end(line: Line) -> None:
    """A whole stream whose last event, the one with the usage, never comes."""
    await line.request()
    await line.send(SSE_HEAD)
    for _ in range(20):
        await line.chunk(EVENT)
    await line.gone()


async def _vanish(world: World, stage: Stage, key: str, *, reset: bool) -> None:
    client = await world.client()
    client.send(stage.data(key))
    if stage.events:
        async with asyncio.timeout(10):
            await client.reader.readuntil(b"data: ")
    await asyncio.sleep(stage.pause_s)
    client.leave(reset=reset)


def _vanishing(name: str, stage: Stage) -> Scenario:
    async def play(world: World) -> str:
        world.peer.script = all_but_the_end
        gone = [(world.key, False), (world.key, True), (BYO_KEY, False)] * EACH
        await asyncio.gather(*(_vanish(world, stage, key, reset=reset) for key, reset in gone))
        if stage.admitted:
            world.expected.must += 2 * EACH
            world.expected.outcomes = {"client_cancelled"}
        await until(lambda: world.peer.open == 0, "the provider's connections closed", 2)
        await _upstream_let_go(world)
        if stage.estimated:
            await until(lambda: len(world.gateway.rows(FAULTY)) >= 2 * EACH, "all rows")
            for row in world.gateway.rows(FAULTY):
                check(row["usage_estimated"] and row["output_tokens"] > 0, f"hanging up was free: {row}")
        return f"{len(gone)} clients"

    return Scenario(f"clients.vanish_{name}", stage.did, play)


async def _upstream_let_go(world: World) -> None:
    """An abandoned exchange ends at the provider too: what is still open there is the background's."""
    await asyncio.sleep(0.1)
    kept = await world.healthy.open_connections()
    check(kept < 3 * EACH, f"{kept} provider connections after all had vanished")


SCENARIOS = [
    _vanishing("in_head", Stage("leave in their heads", _half_a_head, admitted=False)),
    _vanishing("after_head", Stage("leave after their heads", _a_head)),
    _vanishing("in_body", Stage("leave in a streamed body", _half_a_body)),
    _vanishing("in_chat", Stage("leave in a collected body", _half_a_chat)),
    _vanishing("waiting", Stage("leave while they wait", _a_question)),
    _vanishing("in_stream", Stage("leave in a stream", _a_stream, estimated=True, events=True)),
    _vanishing("before_end", Stage("leave before the last event", _all_but_its_end, estimated=True, events=True)),
]
