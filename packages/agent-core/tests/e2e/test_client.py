"""The transport over HTTP, through a real gateway before an embedded provider."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from stack import KEY, running, wait_for

from beyond_agent_core import Agent, ConfigError, Session, tool
from beyond_agent_core.client import HttpTransport
from beyond_agent_core.client_faults import retry_after_s
from beyond_agent_core.control import Control
from beyond_agent_core.events import AgentEvent, Streamed, TurnRetry
from beyond_agent_core.testing import assert_fit, assert_grammar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stack import Provider, Stack

    from beyond_agent_core.run import RunResult

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Stack, Provider]]:
    with running() as both:
        yield both


@pytest.fixture
def stack(pair: tuple[Stack, Provider]) -> Stack:
    pair[0].forget_rows()
    pair[1].forget()
    return pair[0]


def ask(stack: Stack, model: str, *, key: str = KEY, path: str = "") -> tuple[RunResult, list[AgentEvent], Session]:
    """One run against the gateway; what holds of every run is looked at."""
    agent = Agent(HttpTransport(stack.url + path, lambda: key), model=model, chance=lambda: 0.0)
    session, events = Session(), list[AgentEvent]()
    result = asyncio.run(agent.run(session, "say hi", on_event=events.append))
    assert_grammar(events)
    assert_fit(session)
    return result, events, session


@pytest.mark.parametrize("model", ["claude-x", "gpt-5", "vendor/chat-x"])
def test_each_dialect_is_answered_and_billed_alike(stack: Stack, pair: tuple[Stack, Provider], model: str) -> None:
    """Text streams in; the agent's own count is the gateway's row; the provider never sees the managed key."""
    result, events, session = ask(stack, model)
    assert (result.outcome, result.text) == ("done", "You said: say hi")
    assert sum(isinstance(event, Streamed) for event in events) > 3
    row = stack.rows()[0]
    cached = row.get("cache_read_tokens", 0) if row["usage_wire"] == "openai" else 0
    assert session.usage.input_tokens == row["input_tokens"] - cached
    assert session.usage.output_tokens == row["output_tokens"]
    assert row["requested_model"] == model
    assert KEY not in str(pair[1].requests())


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/"])
def test_the_base_is_not_doubled(stack: Stack, path: str) -> None:
    """A base with /v1, or a slash too many, is the same place."""
    assert ask(stack, "gpt-5", path=path)[0].outcome == "done"


def test_a_refused_key_says_so_and_is_not_shown(stack: Stack) -> None:
    """401 fails at once, with the gateway's reason and without the key."""
    result, _, _ = ask(stack, "gpt-5", key=KEY[:-2] + "AA")
    assert result.outcome == "error"
    assert result.fault is not None
    assert (result.fault.code, result.fault.status) == ("unauthorized", 401)
    assert "invalid API key" in result.fault.message
    assert "check it" in result.fault.message
    assert KEY[:20] not in repr(result)


def test_a_provider_that_is_over_its_limit_is_waited_for(stack: Stack) -> None:
    """429 with Retry-After is tried again, and not before; here it never gets better."""
    agent = Agent(HttpTransport(stack.url, lambda: KEY), model="mock:status=429,retry_after=1", chance=lambda: 0.0)
    control, events = Control(), list[AgentEvent]()

    def watch(event: AgentEvent) -> None:
        events.append(event)
        if isinstance(event, TurnRetry) and event.attempt == 2:
            control.abort_retry()

    began = time.monotonic()
    result = asyncio.run(agent.run(Session(), "go", on_event=watch, control=control))
    assert time.monotonic() - began >= 1.0
    assert result.fault is not None
    assert (result.fault.code, result.fault.status) == ("http_status", 429)
    assert [event.delay_ms for event in events if isinstance(event, TurnRetry)] == [1000, 1000]


def test_a_cancel_closes_the_providers_connection(stack: Stack, pair: tuple[Stack, Provider]) -> None:
    """At once, and the row says who left."""
    agent = Agent(HttpTransport(stack.url, lambda: KEY), model="mock:events=500,gap=0.05")
    control = Control()

    def watch(event: AgentEvent) -> None:
        if isinstance(event, Streamed):
            control.cancel()

    result = asyncio.run(agent.run(Session(), "go", on_event=watch, control=control))
    assert result.outcome == "cancelled"
    assert stack.rows()[0]["outcome"] == "client_cancelled"
    wait_for(lambda: pair[1].connections()["open"] <= 2, "the end of the provider's connection")


def test_a_stream_that_is_cut_is_asked_for_again(stack: Stack) -> None:
    """What streamed is void, and never a short good answer."""
    agent = Agent(HttpTransport(stack.url, lambda: KEY), model="mock:events=9,cut=900", chance=lambda: 0.0)
    control, session, retries = Control(), Session(), list[TurnRetry]()

    def watch(event: AgentEvent) -> None:
        if isinstance(event, TurnRetry):
            retries.append(event)
            control.abort_retry()

    result = asyncio.run(agent.run(session, "go", on_event=watch, control=control))
    assert result.outcome == "error"
    assert [(event.phase, event.error_code) for event in retries] == [("stream", "stream_truncated")]
    assert len(session.messages) == 1


def test_a_gateway_that_is_away_is_a_connect_failure() -> None:
    """Transient, before the first byte; the address is told, no key."""
    agent = Agent(HttpTransport("http://127.0.0.1:1", lambda: KEY), model="gpt-5", chance=lambda: 0.0)
    control, told = Control(), list[TurnRetry]()

    def watch(event: AgentEvent) -> None:
        if isinstance(event, TurnRetry):
            told.append(event)
            control.abort_retry()

    asyncio.run(agent.run(Session(), "go", on_event=watch, control=control))
    assert (told[0].phase, told[0].error_code) == ("connect", "connect_failed")
    assert told[0].message == "transport error: cannot connect to 127.0.0.1:1: Connection refused"


def test_tools_work_through_the_gateway(stack: Stack) -> None:
    """A model that calls a tool gets its result and answers."""

    @tool
    def lookup(query: str) -> str:
        """Look something up."""
        return f"found {query}"

    agent = Agent(HttpTransport(stack.url, lambda: KEY), model="mock:tool=lookup", tools=[lookup])
    session = Session()
    control = Control()

    def watch(event: AgentEvent) -> None:
        if type(event).__name__ == "ToolEnd":
            control.request_stop()

    result = asyncio.run(agent.run(session, "go", on_event=watch, control=control))
    assert result.outcome == "done"
    assert_fit(session)
    assert len(session.messages) == 3


def test_an_address_without_http_is_refused() -> None:
    """When the transport is made."""
    with pytest.raises(ConfigError, match="base_url: must be http"):
        HttpTransport("gateway:8080", lambda: KEY)
    assert KEY not in repr(HttpTransport("http://user:secret@gateway:8080/v1", lambda: KEY))
    assert "secret" not in repr(HttpTransport("http://user:secret@gateway:8080/v1", lambda: KEY))


def test_retry_after_is_seconds_or_a_date() -> None:
    """The past is 0, nonsense is nothing."""
    from datetime import UTC, datetime

    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert retry_after_s("7", now) == 7.0
    assert retry_after_s("Thu, 01 Jan 2026 12:00:30 GMT", now) == 30.0
    assert retry_after_s("Thu, 01 Jan 2026 11:00:00 GMT", now) == 0.0
    assert retry_after_s("soon", now) is None
    assert retry_after_s("", now) is None
