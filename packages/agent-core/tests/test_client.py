"""The transport over real sockets: credentials, headers, settings, hooks, and what its import brings along."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest
from core_http import KEY, fault_of, key, request, text_of
from msgspec.structs import replace

from beyond_agent_core.agent import Agent
from beyond_agent_core.client import HttpTransport
from beyond_agent_core.errors import ConfigError
from beyond_agent_core.events import AgentEnd, AgentEvent, TurnRetry
from beyond_agent_core.hooks import Hooks
from beyond_agent_core.limits import Limits
from beyond_agent_core.session import Session
from beyond_agent_core.testing.model_server import ModelServer
from beyond_agent_core.testing.model_server_script import BrokenStream, error_status
from beyond_agent_core.testing.turns import says
from beyond_wire.errors import EncodeError
from beyond_wire.types import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_agent_core.run import RunResult
    from beyond_agent_core.testing.model_server_script import Then

pytestmark = pytest.mark.e2e


# -- credentials and headers


def test_credentials_may_be_awaited_and_may_fail() -> None:
    """A failure is a refused key, without the failure's own text; so is a key that no header can hold."""

    async def later() -> str:
        await asyncio.sleep(0)
        return KEY

    def locked() -> str:
        raise LookupError(f"no use for {KEY}")

    async def run(server: ModelServer) -> None:
        async with HttpTransport(server.url, later) as transport:
            assert await text_of(transport) == "hi"
        for bad in (locked, lambda: f"{KEY}\r\nx: y", lambda: ""):
            fault = await fault_of(HttpTransport(server.url, bad))
            assert (fault.code, fault.transient) == ("unauthorized", False)

    with ModelServer([says("hi")]) as server:
        asyncio.run(run(server))
        assert [asked.headers["authorization"] for asked in server.requests] == [f"Bearer {KEY}"]


@pytest.mark.parametrize("model", ["claude-opus-4-8", "gpt-5.1"])
def test_an_endpoint_that_takes_no_key_is_sent_none(model: str) -> None:
    """Without credentials a request has no header for a key."""

    async def run(server: ModelServer) -> None:
        async with HttpTransport(server.url, None, direct=True) as transport:
            assert await text_of(transport, request(model)) == "hi"

    with ModelServer([says("hi")]) as server:
        asyncio.run(run(server))
        assert not server.requests[0].headers.keys() & {"authorization", "x-api-key"}


def test_a_providers_own_endpoint() -> None:
    """Anthropic itself is given the key in its own header, other providers as a bearer token."""

    async def run(server: ModelServer) -> None:
        async with HttpTransport(server.url, key, direct=True) as transport:
            await text_of(transport)
            await text_of(transport, request("gpt-5.1"))

    with ModelServer([says("hi"), says("hi")]) as server:
        asyncio.run(run(server))
        first, second = (asked.headers for asked in server.requests)
    assert (first["x-api-key"], "authorization" in first) == (KEY, False)
    assert (second["authorization"], "x-api-key" in second) == (f"Bearer {KEY}", False)


def test_extra_headers_win() -> None:
    """Over ours and over the dialect's, in whatever case they are written; they are in no repr."""

    async def run(server: ModelServer) -> None:
        extra = {"Anthropic-Version": "2099-01-01", "User-Agent": "mine", "X-Secret": KEY}
        async with HttpTransport(server.url, key, headers=extra) as transport:
            await text_of(transport)
            assert KEY not in repr(transport)

    with ModelServer([says("hi")]) as server:
        asyncio.run(run(server))
        headers = server.requests[0].headers
    assert [headers[name] for name in ("anthropic-version", "user-agent", "x-secret")] == ["2099-01-01", "mine", KEY]


def test_the_dialect_may_be_named() -> None:
    """Then all models are asked in it; a request that wants no stream is streamed all the same."""

    async def run(server: ModelServer) -> None:
        async with HttpTransport(server.url, key, dialect="chat") as transport:
            assert await text_of(transport, request(stream=False)) == "hi"

    with ModelServer([says("hi")]) as server:
        asyncio.run(run(server))
        assert (server.requests[0].path, server.requests[0].json["stream"]) == ("/v1/chat/completions", True)


def test_a_request_that_cannot_be_sent() -> None:
    """Nothing is sent, and no key is asked for."""

    async def run(server: ModelServer) -> None:
        with pytest.raises(EncodeError):
            await text_of(HttpTransport(server.url, lambda: pytest.fail("asked")), request(temperature=float("nan")))

    with ModelServer([]) as server:
        asyncio.run(run(server))
        assert server.accepted == 0


# -- settings


def test_connecting_takes_no_longer_than_it_may() -> None:
    """A TLS handshake that nobody answers counts, too."""

    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"https://127.0.0.1:{silent.getsockname()[1]}"
            fault = await fault_of(HttpTransport(url, key, connect_s=0.05))
        assert (fault.code, fault.transient) == ("connect_failed", True)
        assert "within 0.05 s" in fault.message

    asyncio.run(run())


@pytest.mark.parametrize("settings", [{"connect_s": 0}, {"byte_idle_s": float("nan")}, {"headers": {"a b": ""}}])
def test_settings_that_cannot_be_used(settings: dict[str, Any]) -> None:
    """The field is named when the transport is made."""
    with pytest.raises(ConfigError) as told:
        HttpTransport("http://gw", key, **settings)
    assert told.value.field in settings


# -- hooks


def test_hooks_see_bodies_and_heads_and_never_the_key() -> None:
    """A body may be replaced; the head of every answer is seen, also that of a refusal, and a copy of it."""
    bodies, heads = list[bytes](), list[tuple[int, str]]()

    async def payload(body: bytes) -> bytes:
        bodies.append(body)
        return body.replace(b'"hi"', b'"ho ho"')

    def answered(status: int, headers: Mapping[str, str]) -> None:
        heads.append((status, headers["content-type"].partition(";")[0]))
        cast("dict[str, str]", headers).clear()

    async def run(server: ModelServer) -> None:
        hooks = Hooks(before_provider_payload=payload, after_provider_response=answered)
        async with HttpTransport(server.url, key, hooks=hooks) as transport:
            assert await text_of(transport) == "x"
            assert (await fault_of(transport)).status == 401

    with ModelServer([says("x"), error_status(401, "no")]) as server:
        asyncio.run(run(server))
        sent = [asked.body for asked in server.requests]
    assert [b"ho ho" in body for body in sent] == [True, True]
    assert heads == [(200, "text/event-stream"), (401, "application/json")]
    assert len(bodies) == 2
    assert KEY.encode() not in b"".join(bodies)


def test_hooks_of_the_transport_that_fail_do_not_disturb(caplog: pytest.LogCaptureFixture) -> None:
    """The answer is as without them, and the log says which and why."""

    def fail(*_: object) -> Any:
        raise RuntimeError("broken hook")

    async def run(server: ModelServer, hooks: Hooks) -> None:
        async with HttpTransport(server.url, key, hooks=hooks) as transport:
            assert await text_of(transport) == "x"

    with ModelServer([says("x"), says("x")]) as server:
        asyncio.run(run(server, Hooks(before_provider_payload=fail, after_provider_response=fail)))
        odd: Any = str
        asyncio.run(run(server, Hooks(before_provider_payload=odd)))
    assert [record.getMessage() for record in caplog.records] == [
        "hook before_provider_payload failed: RuntimeError: broken hook",
        "hook after_provider_response failed: RuntimeError: broken hook",
        "hook before_provider_payload returned str, not bytes",
    ]


# -- the whole way


def test_an_agent_over_http() -> None:
    """Loop, driver and transport together: a failed attempt is tried again, and the answer is in the session."""

    async def run(server: ModelServer) -> None:
        async with HttpTransport(server.url, key) as transport:
            session = Session()
            cut = await Agent(transport, model="gpt-5.1", chance=lambda: 0.0).run(session, "go")
            assert (cut.outcome, cut.text) == ("done", "there")

    with ModelServer([BrokenStream(turn=says("there"), after=3, then="cut"), says("there")]) as server:
        asyncio.run(run(server))
        assert len(server.requests) == 2


@pytest.mark.parametrize("then", ["cut", "error"])
def test_what_a_broken_answer_cost_counts_for_budgets(then: Then) -> None:
    """Anthropic tells its input first, so a limit of tokens ends a run whose answers all break behind that."""

    async def run(server: ModelServer) -> RunResult:
        async with HttpTransport(server.url, key) as transport:
            limits = Limits(max_tokens_total=1_500)
            agent = Agent(transport, model="claude-opus-4-8", retry_base_delay_ms=1, limits=limits)
            return await asyncio.wait_for(agent.run(Session(), "go"), 10)

    dear = replace(says("there"), usage=TokenUsage(input_tokens=1_000))
    with ModelServer([BrokenStream(turn=dear, after=3, then=then)] * 3) as server:
        result = asyncio.run(run(server))
        assert (result.outcome, len(server.requests)) == ("limit", 2)
    assert result.limit is not None
    assert result.limit.used >= 2_000


@pytest.mark.parametrize("model", ["claude-opus-4-8", "gpt-5", "some/other"])
def test_a_stream_of_keep_alives_only_is_stalled(model: str) -> None:
    """Bytes go on coming, events do not: the turn is asked for again, on a connection of its own, or has failed."""

    async def run(server: ModelServer, *, retry: bool) -> tuple[list[AgentEvent], Session]:
        events, session = list[AgentEvent](), Session()
        async with HttpTransport(server.url, key, byte_idle_s=0.05) as transport:
            # Ten keep-alives fit into the patience, five into that of the transport: it is not theirs that ends it.
            agent = Agent(transport, model=model, retry=retry, retry_base_delay_ms=1, event_idle_timeout=0.1)
            await asyncio.wait_for(agent.run(session, "go", on_event=events.append), 10)
        return events, session

    stall = BrokenStream(turn=says("hi"), after=2, then="keep_alives")
    with ModelServer([stall, says("there"), stall]) as server:
        events, session = asyncio.run(run(server, retry=True))
        told = [(event.phase, event.error_code) for event in events if isinstance(event, TurnRetry)]
        assert (told, len(session.messages), server.accepted) == ([("stream", "stream_stalled")], 2, 2)
        events, session = asyncio.run(run(server, retry=False))
        end = events[-1]
        assert isinstance(end, AgentEnd)
        assert (end.outcome, end.error_code, len(session.messages)) == ("error", "stream_stalled", 1)
        assert server.until(lambda server: server.left == 2)


def test_what_the_import_brings_along() -> None:
    """Importing the package brings no HTTP library, nor does a connection; a request brings one dialect."""
    code = (
        "import sys, json, beyond_agent_core\n"
        "import beyond_agent_core.client, beyond_agent_core.client_connect\n"
        "first = sorted(sys.modules)\n"
        "from beyond_agent_core.client_dialect import dialect_named\n"
        "dialect_named('chat')\n"
        "print(json.dumps([first, sorted(sys.modules)]))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    first, second = json.JSONDecoder().decode(said.stdout)
    heavy = {"http.client", "httpx2", "email.utils", "urllib.request", "anyio"}
    assert not (heavy | {"h11"}) & set(first)
    dialects = {"beyond_wire.anthropic", "beyond_wire.chat", "beyond_wire.responses"}
    assert not dialects & set(first)
    assert dialects & set(second) == {"beyond_wire.chat"}
