"""The transport, a gateway and a scripted provider: what the provider says is what the agent gets and the row has."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from stack import KEY, POOL_KEYS, Stack

from beyond_agent_core.client import HttpTransport
from beyond_agent_core.testing.model_server import ModelServer
from beyond_agent_core.testing.model_server_script import BrokenStream, error_status
from beyond_agent_core.testing.turns import calls, says
from beyond_agent_core.transport import TransportFailed
from beyond_wire.accumulate import turn_of
from beyond_wire.types import ModelRequest, TokenUsage, Turn, tool_uses, user

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from beyond_agent_core.testing.model_server_script import Entry

pytestmark = pytest.mark.e2e
COST = TokenUsage(input_tokens=11, output_tokens=7, cache_read_tokens=5)


@contextmanager
def before(script: Sequence[Entry]) -> Generator[tuple[Stack, ModelServer]]:
    """Give a gateway before a provider that plays `script`."""
    with tempfile.TemporaryDirectory() as folder, ModelServer(script) as server:
        stack = Stack(Path(folder), f"127.0.0.1:{server.port}")
        try:
            yield stack, server
        finally:
            stack.stop()


async def ask(transport: HttpTransport, model: str) -> Turn:
    request = ModelRequest(model=model, messages=(user("go"),), max_tokens=100)
    async with aclosing(transport.stream(request)) as events:
        return turn_of([event async for event in events])


def test_three_dialects_on_one_connection() -> None:
    """Calls arrive whole, counts equal the row's, the provider sees the pool's key, and one connection serves all."""
    turn = replace(calls(("read", {"path": "a"}), ("read", {"path": "b"}), text="two"), usage=COST)
    models = {"claude-x": "anthropic", "gpt-5": "openai", "vendor/chat-x": "openai"}

    async def run(stack: Stack) -> list[Turn]:
        async with HttpTransport(f"{stack.url}/v1", lambda: KEY) as transport:
            got = [await ask(transport, model) for model in models]
            assert repr(transport).endswith("idle=1>")
            return got

    with before([turn] * len(models)) as (stack, server):
        for got, row, asked in zip(asyncio.run(run(stack)), stack.rows(3), server.requests, strict=True):
            assert [call.input for call in tool_uses(got.message)] == [{"path": "a"}, {"path": "b"}]
            assert got.usage == COST
            cached = row["cache_read_tokens"] if row["usage_wire"] == "openai" else 0
            assert (row["input_tokens"] - cached, row["output_tokens"]) == (COST.input_tokens, COST.output_tokens)
            sent = asked.headers.get("x-api-key") or asked.headers["authorization"].removeprefix("Bearer ")
            assert sent in POOL_KEYS.values()
            assert KEY not in str(asked)


def test_failures_keep_their_kind() -> None:
    """A limit, a cut and an error within the stream are told through the gateway as they would be without it."""
    cut, failed = (BrokenStream(turn=says("an answer in pieces"), after=6, then=then) for then in ("cut", "error"))
    limited = error_status(429, "slow down", type="rate_limit_error", retry_after="7")

    async def run(stack: Stack) -> list[Exception]:
        errors: list[Exception] = []
        async with HttpTransport(stack.url, lambda: KEY) as transport:
            for _ in range(3):
                with pytest.raises(Exception) as raised:  # noqa: PT011 - looked at below
                    await ask(transport, "claude-x")
                errors.append(raised.value)
        return errors

    with before([limited, cut, failed]) as (stack, server):
        first, second, third = asyncio.run(run(stack))
        assert isinstance(first, TransportFailed)
        assert (first.fault.status, first.fault.retry_after, first.fault.transient) == (429, 7.0, True)
        assert isinstance(second, TransportFailed)
        assert (second.fault.code, second.fault.started) == ("stream_truncated", True)
        assert str(third) == "provider stream error: overloaded_error: overloaded"
        assert len(server.requests) == 3


def test_whoever_leaves_is_followed() -> None:
    """Closing the iterator closes the provider's connection, and the row says who left."""

    async def run(stack: Stack) -> None:
        async with HttpTransport(stack.url, lambda: KEY) as transport:
            request = ModelRequest(model="gpt-5", messages=(user("go"),), max_tokens=100)
            events = transport.stream(request)
            await anext(events)
            await events.aclose()

    with before([BrokenStream(turn=says("an answer in pieces"), after=5, then="stall")]) as (stack, server):
        asyncio.run(run(stack))
        assert server.until(lambda server: server.left == 1)
        assert stack.rows()[0]["outcome"] == "client_cancelled"
