"""The transport over real sockets: connections, credentials, headers, timeouts, TLS and proxies."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import pytest

from beyond_agent_core.agent import Agent
from beyond_agent_core.client import HttpTransport
from beyond_agent_core.client_headers import request_head
from beyond_agent_core.client_pool import ConnectionPool
from beyond_agent_core.errors import ConfigError
from beyond_agent_core.events import AgentEnd, AgentEvent, TurnRetry
from beyond_agent_core.hooks import Hooks
from beyond_agent_core.session import Session
from beyond_agent_core.testing.clock import FakeClock
from beyond_agent_core.testing.model_server import ModelServer
from beyond_agent_core.testing.model_server_http import chunk, head
from beyond_agent_core.testing.model_server_script import BrokenStream, Raw, error_status
from beyond_agent_core.testing.turns import says
from beyond_agent_core.transport import TransportFailed
from beyond_wire.errors import EncodeError
from beyond_wire.types import MessageStop, ModelRequest, TextDelta, user

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from beyond_agent_core.errors import RunFault

pytestmark = pytest.mark.e2e
KEY = "k3y-0f-no-known-shape"
STREAM = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
WHOLE = head(200, STREAM) + chunk(STOP) + chunk(b"")


def key() -> str:
    return KEY


def request(model: str = "claude-opus-4-8", text: str = "hi", **more: Any) -> ModelRequest:
    return ModelRequest(model=model, messages=(user(text),), max_tokens=100, **more)


async def text_of(transport: HttpTransport, asked: ModelRequest | None = None) -> str:
    async with aclosing(transport.stream(asked or request())) as events:
        return "".join([event.text async for event in events if isinstance(event, TextDelta)])


async def fault_of(transport: HttpTransport, asked: ModelRequest | None = None) -> RunFault:
    with pytest.raises(TransportFailed) as raised:
        await text_of(transport, asked)
    assert KEY not in f"{raised.value!r} {raised.value.fault!r} {raised.value.__cause__!r} {transport!r}"
    return raised.value.fault


async def read_request(reader: asyncio.StreamReader) -> None:
    fields = (await reader.readuntil(b"\r\n\r\n")).lower()
    await reader.readexactly(int(fields.partition(b"content-length: ")[2].split(b"\r\n")[0]))


@asynccontextmanager
async def serving(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **options: Any
) -> AsyncGenerator[str]:
    """Serve in this loop, and see every connection to its end before the loop has its own."""
    tasks: list[asyncio.Task[None] | None] = []

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        try:
            await serve(reader, writer)
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)

    async with await asyncio.start_server(one, "127.0.0.1", 0, **options) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*filter(None, tasks))


# -- connections


def test_one_connection_for_many_requests() -> None:
    """Answers and errors that were read to their end leave the connection for the next request."""

    async def run(server: ModelServer) -> None:
        async with HttpTransport(server.url, key) as transport:
            assert await text_of(transport) == "one"
            assert (await fault_of(transport)).status == 503
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


def test_what_fails_on_a_used_connection() -> None:
    """An answer that does not come has nothing to do with the one before it."""

    async def run(server: ModelServer) -> None:
        async with HttpTransport(server.url, key) as transport:
            await text_of(transport)
            fault = await fault_of(transport)
            assert (fault.code, fault.transient, fault.started) == ("connect_failed", True, False)

    with ModelServer([says("one"), Raw()]) as server:
        asyncio.run(run(server))
        assert server.accepted == 1


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


@pytest.mark.parametrize("goodbye", [b"", b"HTTP/1.1 408 Too Late\r\n\r\n"])
def test_a_connection_that_was_ended_or_spoiled_is_not_used(goodbye: bytes) -> None:
    """An idle connection on which the server closed, or spoke without being asked, gives way to a new one."""

    async def run() -> None:
        served: list[int] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            served.append(len(served))
            await read_request(reader)
            writer.write(WHOLE)
            told.clear()
            await told.wait()
            writer.write(goodbye)
            writer.close()
            await writer.wait_closed()
            gone.set()

        told, gone = asyncio.Event(), asyncio.Event()
        async with serving(serve) as url, HttpTransport(url, key) as transport:
            for _ in range(2):
                gone.clear()
                assert await text_of(transport) == ""
                told.set()
                await gone.wait()
                # Loopback has passed the bytes on; the loop finds them in one turn and reads them in another.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        assert served == [0, 1]

    asyncio.run(run())


def test_bytes_behind_an_answer_spoil_the_connection() -> None:
    """They would be taken for the next answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(WHOLE + head(200, STREAM))
        await reader.read(-1)

    async def run() -> None:
        async with serving(serve) as url, HttpTransport(url, key) as transport:
            await text_of(transport)
            assert repr(transport).endswith("idle=0>")

    asyncio.run(run())


def test_connections_end_with_their_event_loop() -> None:
    """A transport that nobody closed leaves nothing open, and works in the next loop."""
    with ModelServer([says("one"), says("two")]) as server:
        transport = HttpTransport(server.url, key)
        assert [asyncio.run(text_of(transport)) for _ in range(2)] == ["one", "two"]
        assert server.accepted == 2
        assert repr(transport).endswith("idle=0>")


def test_connections_end_with_a_pool_that_nobody_keeps() -> None:
    """The server sees the end of an idle connection whose transport is gone."""

    async def run() -> None:
        ended = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(WHOLE)
            ended.set_result(await reader.read(-1))

        async with serving(serve) as url:
            await text_of(HttpTransport(url, key))
            async with asyncio.timeout(10):
                assert await ended == b""

    asyncio.run(run())


def test_an_answer_without_its_end_does_not_hold_the_turn_up() -> None:
    """Once the message is complete the rest is waited for a moment only, and the connection is given up."""

    async def run(server: ModelServer) -> None:
        async with HttpTransport(server.url, key) as transport:
            async with asyncio.timeout(10):
                events = [event async for event in transport.stream(request())]
            assert isinstance(events[-1], MessageStop)
            assert "idle=0" in repr(transport)

    with ModelServer([BrokenStream(turn=says("all"), after=99, then="stall")]) as server:
        asyncio.run(run(server))
        assert server.until(lambda server: server.left == 1)


def test_an_early_answer_to_a_large_request() -> None:
    """A server that refuses before it has read the body is heard."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head(413, {"content-length": "0"}))
        await writer.drain()
        await done.wait()

    async def run() -> None:
        async with serving(serve, limit=1024) as url:
            async with HttpTransport(url, key) as transport:
                fault = await fault_of(transport, request(text="x" * 20_000_000))
            assert (fault.code, fault.status) == ("context_overflow", 413)
            done.set()

    done = asyncio.Event()
    asyncio.run(run())


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


# -- time


def test_silence() -> None:
    """Before the head it is a failed connection, behind it a stalled stream; keep-alives break it."""

    async def run(server: ModelServer) -> None:
        async with HttpTransport(server.url, key, byte_idle_s=0.05) as transport:
            fault = await fault_of(transport)
            assert (fault.code, fault.transient, fault.started) == ("stream_stalled", True, True)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await text_of(transport)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            fault = await fault_of(HttpTransport(url, key, byte_idle_s=0.05))
            assert (fault.code, fault.transient, fault.started) == ("connect_failed", True, False)

    script = [
        BrokenStream(turn=says("hi"), after=2, then="stall"),
        BrokenStream(turn=says("hi"), after=2, then="keep_alives"),
    ]
    with ModelServer(script) as server:
        asyncio.run(run(server))


def test_a_long_request_on_its_way_is_no_silence() -> None:
    """The wait for a byte begins anew as long as the server takes more of the request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fields = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = int(fields.partition(b"content-length: ")[2].split(b"\r\n")[0])
        for _ in range(8):
            await reader.readexactly(size // 8)
            await asyncio.sleep(0.1)
        await reader.readexactly(size % 8)
        writer.write(WHOLE)
        await reader.read(-1)

    async def run() -> None:
        async with serving(serve, limit=65_536) as url, HttpTransport(url, key, byte_idle_s=0.3) as transport:
            assert await text_of(transport, request(text="x" * 80_000_000)) == ""

    asyncio.run(run())


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


def test_a_body_of_an_error_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came of it is told."""
    monkeypatch.setattr("beyond_agent_core.client_http1.ERROR_WAIT_S", 0.05)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head(500, {"content-length": "1000"}) + b"half an expl")
        with suppress(ConnectionError):
            await reader.read(-1)

    async def run() -> None:
        async with serving(serve) as url:
            fault = await fault_of(HttpTransport(url, key))
        assert fault.message.endswith("500: half an expl")

    asyncio.run(run())


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


def test_the_request_is_on_its_way_before_what_reads_the_answer_is_imported() -> None:
    """A start does not wait for h11, which has time until the model answers."""
    code = (
        "import asyncio, sys\n"
        "from beyond_agent_core.client_http1 import Connection\n"
        "from beyond_agent_core.client_target import parse_base\n"
        "from beyond_agent_core.transport import TransportFailed\n"
        "class Writer:\n"
        "    def write(self, data):\n"
        "        print(data[:4] in (b'POST', b'body'), 'h11' in sys.modules)\n"
        "async def go():\n"
        "    reader = asyncio.StreamReader()\n"
        "    reader.feed_eof()\n"
        "    connection = Connection(parse_base('http://a', {})[0], None, reader, Writer())\n"
        "    try:\n"
        "        await connection.ask('/v1', [('host', 'a'), ('content-length', '4')], b'body', byte_idle_s=1)\n"
        "    except AttributeError:\n"
        "        print('h11' in sys.modules)\n"
        "asyncio.run(go())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert said.stdout.split() == ["True", "False", "True", "False", "True"]


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/v1 HTTP/1.1", []),
        ("", []),
        ("/é", []),
        ("/v1", [("a b", "c")]),
        ("/v1", [("a", "b\r\nc: d")]),
        ("/v1", [("a\n", "b")]),
        ("/v1", [("a", "é")]),
    ],
)
def test_what_no_head_can_hold_is_refused(target: str, headers: list[tuple[str, str]]) -> None:
    """And the text of the refusal quotes none of it."""
    with pytest.raises(ValueError, match=r"^not a (request target|header)$"):
        request_head(target, headers)


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
