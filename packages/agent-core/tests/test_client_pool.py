"""Connections over real sockets, kept between requests: which is used again, by whom, and when none is."""

from __future__ import annotations

import asyncio

import pytest
from core_http import key, text_of

from beyond_agent_core.client import HttpTransport
from beyond_agent_core.client_pool import ConnectionPool
from beyond_agent_core.testing.clock import FakeClock
from beyond_agent_core.testing.model_server import ModelServer
from beyond_agent_core.testing.model_server_script import error_status
from beyond_agent_core.testing.turns import says
from beyond_agent_core.transport import TransportFailed

pytestmark = pytest.mark.e2e


def test_one_connection_for_many_requests() -> None:
    """Answers and errors that were read to their end leave the connection for the next request."""

    async def run(server: ModelServer) -> None:
        async with HttpTransport(server.url, key) as transport:
            assert await text_of(transport) == "one"
            with pytest.raises(TransportFailed) as refused:
                await text_of(transport)
            assert refused.value.fault.status == 503
            assert await text_of(transport) == "two"
            assert repr(transport) == f"<HttpTransport {server.url} idle=1>"
        assert repr(transport).endswith("idle=0>")

    with ModelServer([says("one"), error_status(503), says("two")]) as server:
        asyncio.run(run(server))
        assert server.accepted == 1


def test_a_shared_pool() -> None:
    """Transports with one pool share connections, and closing one of them leaves these to the others."""

    async def run(server: ModelServer) -> None:
        async with ConnectionPool() as pool:
            async with HttpTransport(server.url, key, pool=pool) as first:
                await text_of(first)
            assert pool.idle == 1
            await text_of(HttpTransport(f"{server.url}/team", lambda: "other", pool=pool))
        assert pool.idle == 0

    with ModelServer([says("one"), says("two")]) as server:
        asyncio.run(run(server))
        assert [asked.connection for asked in server.requests] == [0, 0]


def test_a_pool_keeps_servers_apart() -> None:
    """A connection leads to one server, and is used for no other."""

    async def run(*servers: ModelServer) -> list[str]:
        async with ConnectionPool() as pool:
            return [await text_of(HttpTransport(server.url, key, pool=pool)) for server in servers]

    with ModelServer([says("one")]) as one, ModelServer([says("two")]) as two:
        assert asyncio.run(run(one, two)) == ["one", "two"]


def test_requests_at_the_same_time() -> None:
    """Each has a connection of its own; no more are kept than may be."""

    async def run(server: ModelServer) -> None:
        async with ConnectionPool(max_idle=2) as pool:
            transport = HttpTransport(server.url, key, pool=pool)
            texts = await asyncio.gather(*[text_of(transport) for _ in range(5)])
            assert sorted(texts) == ["0", "1", "2", "3", "4"]
            assert pool.idle == 2

    with ModelServer([says(str(number)) for number in range(5)]) as server:
        asyncio.run(run(server))
        assert server.accepted == 5


def test_an_old_connection_is_not_used() -> None:
    """What has lain idle too long is closed when the next one is wanted."""

    async def run(server: ModelServer) -> None:
        clock = FakeClock()
        async with ConnectionPool(max_idle_s=60, clock=clock) as pool:
            transport = HttpTransport(server.url, key, pool=pool)
            for clock.now in (0.0, 59.0, 120.0):
                await text_of(transport)

    with ModelServer([says("one")] * 3) as server:
        asyncio.run(run(server))
        assert [asked.connection for asked in server.requests] == [0, 0, 1]


def test_connections_end_with_their_event_loop() -> None:
    """A transport that nobody closed leaves nothing open, and works in the next loop."""
    with ModelServer([says("one"), says("two")]) as server:
        transport = HttpTransport(server.url, key)
        assert [asyncio.run(text_of(transport)) for _ in range(2)] == ["one", "two"]
        assert server.accepted == 2
        assert repr(transport).endswith("idle=0>")
