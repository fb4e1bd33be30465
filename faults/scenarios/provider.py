"""Providers that misbehave: each gets a dozen clients at once, while a healthy one serves everybody else."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faults import scripts
from faults.client import BYO_KEY, NOTHING, Answer, chat, request, responses
from faults.clock import check
from faults.provider import Line
from faults.world import Scenario, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MANAGED, BYO = 12, 4
CUT = "cut"
"""What a client sees of a response that began and will never be whole."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A script, what its clients must see (a status, or CUT), and what their rows must say."""

    did: str
    script: Callable[[Line], Awaitable[None]]
    sees: int | str
    outcome: str
    unsent: int = 0
    body: int = 0


def _data(fault: Fault, key: str, number: int) -> bytes:
    path = "/peer/v1/responses"
    body = responses("m-1", "x" * fault.body)
    if number % 2 and not fault.unsent and not fault.body:
        path, body = "/peer/v1/chat/completions", chat("m-1", stream=True)
    data = request(path, body, key=key)
    return data[: len(data) - fault.unsent]


def _seen(answer: Answer) -> int | str:
    if answer is NOTHING:
        return "nothing"
    return answer.status if answer.whole else CUT


async def asked(world: World, fault: Fault) -> str:
    """Ask through the fault with managed and BYO clients at once; judge what each saw."""
    data = [_data(fault, world.key, number) for number in range(MANAGED)]
    data += [_data(fault, BYO_KEY, number) for number in range(BYO)]
    world.expected.must += MANAGED
    world.expected.outcomes = {fault.outcome}
    seen = Counter(_seen(answer) for answer in await asyncio.gather(*(world.ask(each) for each in data)))
    check(set(seen) == {fault.sees}, f"its clients saw {dict(seen)}, expected only {fault.sees}")
    return f"{len(data)} clients saw {fault.sees}"


def _scenario(name: str, fault: Fault, **settings: str) -> Scenario:
    async def play(world: World) -> str:
        world.peer.script = fault.script
        return await asked(world, fault)

    return Scenario(f"provider.{name}", fault.did, play, settings)


async def refused(world: World) -> str:
    await world.peer.stop()
    return await asked(world, Fault("", Line.gone, 502, "upstream_error"))


async def absent(world: World) -> str:
    return await asked(world, Fault("", Line.gone, 502, "upstream_error"))


async def full_queue(world: World) -> None:
    """Move the peer to a listener whose queue is full: the kernel drops what comes, as a dead host does."""
    listener = world.to_close.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(2):
        filler = world.to_close.enter_context(socket.socket())
        filler.settimeout(0)
        filler.connect_ex(listener.getsockname())
    world.gateway.providers["peer"] = int(listener.getsockname()[1])


# A byte a second is not silence: only the bound on the whole exchange ends it.
SLOWLY = {"read_timeout_secs": "2", "request_max_secs": "3"}
SCENARIOS = [
    _scenario("resets", Fault("resets after the request", scripts.resets, 502, "upstream_error")),
    _scenario("resets_body", Fault("resets in its body", scripts.resets_in_the_body, CUT, "cut_short")),
    _scenario("stalls", Fault("is silent", scripts.stalls, 504, "timeout")),
    _scenario("stalls_later", Fault("falls silent after an event", scripts.stalls_after_the_head, CUT, "timeout")),
    _scenario("trickles", Fault("a byte a second", scripts.trickles, CUT, "timeout"), **SLOWLY),
    _scenario("trickles_head", Fault("its head a byte a second", scripts.trickles_its_head, 504, "timeout"), **SLOWLY),
    _scenario("headers", Fault("headers without end", scripts.endless_headers, 502, "upstream_error")),
    _scenario("hints", Fault("103 without end", scripts.endless_hints, 504, "timeout"), request_max_secs="2"),
    _scenario("mid_chunk", Fault("closes inside a chunk", scripts.closes_in_a_chunk, CUT, "cut_short")),
    _scenario("nonsense", Fault("speaks TLS to HTTP", scripts.talks_nonsense, 502, "upstream_error")),
    _scenario("early", Fault("answers before the body", scripts.answers_early, 413, "upstream_error", 100, 5000)),
    _scenario("reads_nothing", Fault("reads no body", scripts.reads_nothing, 504, "timeout", 0, 8_000_000)),
    Scenario("provider.refuses", "refuses connections", refused),
    Scenario("provider.absent", "drops connections", absent, {"connect_timeout_secs": "0.5"}, prepare=full_queue),
]
