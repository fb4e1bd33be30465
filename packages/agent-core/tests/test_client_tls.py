"""The transport with TLS and with proxies: who is trusted, and what a proxy gets to see."""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import trustme

from beyond_agent_core.client import HttpTransport
from beyond_agent_core.errors import ConfigError
from beyond_agent_core.testing.model_server import ModelServer
from beyond_agent_core.testing.turns import says
from beyond_agent_core.transport import TransportFailed
from beyond_wire.types import ModelRequest, TextDelta, user

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from beyond_agent_core.errors import RunFault

pytestmark = pytest.mark.e2e
KEY = "k3y-0f-no-known-shape"
PAIR = "Basic bWU6czNjcmV0"
"""`me` and `s3cret`, as a header has them."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_side(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)  # pyright: ignore[reportUnknownMemberType] an optional package
    return context


def client_side(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType] as above
    return context


async def text_of(transport: HttpTransport) -> str:
    asked = ModelRequest(model="claude-opus-4-8", messages=(user("hi"),), max_tokens=100)
    async with transport, aclosing(transport.stream(asked)) as events:
        return "".join([event.text async for event in events if isinstance(event, TextDelta)])


def fault_of(transport: HttpTransport) -> RunFault:
    with pytest.raises(TransportFailed) as raised:
        asyncio.run(text_of(transport))
    return raised.value.fault


class Proxy:
    """A proxy that opens tunnels; `seen` is all that clients said to it, in the clear as far as it was."""

    def __init__(self, refusal: bytes = b"") -> None:
        self.seen = b""
        self._refusal = refusal
        self._tasks: list[asyncio.Task[None] | None] = []

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator[str]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            try:
                yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            finally:
                await asyncio.gather(*filter(None, self._tasks))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.append(asyncio.current_task())
        try:
            with suppress(ConnectionError):
                await self._tunnel(reader, writer)
        finally:
            writer.transport.abort()
            await asyncio.sleep(0.01)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen += await reader.readuntil(b"\r\n\r\n")
        if self._refusal:
            writer.write(self._refusal)
            await writer.drain()
            return
        found = re.match(rb"CONNECT 127.0.0.1:(\d+) ", self.seen)
        assert found is not None
        there, back = await asyncio.open_connection("127.0.0.1", int(found[1]))
        writer.write(b"HTTP/1.1 200 Connection established\r\nvia: proxy\r\n\r\n")
        both = [asyncio.ensure_future(self._copy(*way)) for way in ((reader, back), (there, writer))]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for copy in both:
            copy.cancel()
        await asyncio.wait(both)
        back.transport.abort()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            self.seen += data
            sink.write(data)


# -- TLS


def test_a_server_with_a_certificate_that_is_trusted(authority: trustme.CA) -> None:
    """The context that the caller gives says who is."""
    with ModelServer([says("hi")], tls=server_side(authority)) as server:
        transport = HttpTransport(server.url, lambda: KEY, tls=client_side(authority))
        assert asyncio.run(text_of(transport)) == "hi"


def test_servers_that_are_not_trusted(authority: trustme.CA) -> None:
    """Neither one of an unknown authority nor one under another name is told anything."""
    with ModelServer([says("hi")], tls=server_side(authority)) as server:
        fault = fault_of(HttpTransport(server.url, lambda: KEY))
        assert (fault.code, fault.transient, fault.started) == ("connect_failed", True, False)
        assert "certificate of 127.0.0.1" in fault.message
        assert server.requests == []
    with ModelServer([says("hi")], tls=server_side(authority, "elsewhere.example")) as server:
        fault = fault_of(HttpTransport(server.url, lambda: KEY, tls=client_side(authority)))
        assert "certificate of 127.0.0.1" in fault.message
        assert server.requests == []


def test_a_context_that_does_not_verify_is_refused() -> None:
    """There is no way to switch it off."""
    careless, nameless = ssl.create_default_context(), ssl.create_default_context()
    careless.check_hostname = nameless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    for context in (careless, nameless):
        with pytest.raises(ConfigError, match="tls"):
            HttpTransport("https://gw", lambda: KEY, tls=context)


# -- proxies


def test_a_tunnel(authority: trustme.CA) -> None:
    """The proxy is told where to, and its own credentials; of what follows it can read nothing."""
    proxy = Proxy()

    async def run(server: ModelServer) -> None:
        async with proxy.at_work() as address:
            environ = {"https_proxy": f"http://me:s3cret@{address}"}
            transport = HttpTransport(server.url, lambda: KEY, tls=client_side(authority), environ=environ)
            assert await text_of(transport) == "hi"

    with ModelServer([says("hi")], tls=server_side(authority)) as server:
        asyncio.run(run(server))
        head = proxy.seen.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        where = f"127.0.0.1:{server.port}"
        assert head == [f"CONNECT {where} HTTP/1.1", f"host: {where}", f"proxy-authorization: {PAIR}"]
        assert KEY.encode() not in proxy.seen
        assert "proxy-authorization" not in server.requests[0].headers


def test_a_tunnel_to_a_server_that_is_not_trusted(authority: trustme.CA) -> None:
    """The certificate is the server's own, whoever passes it on."""

    async def run(server: ModelServer) -> None:
        async with Proxy().at_work() as address:
            transport = HttpTransport(server.url, lambda: KEY, environ={"https_proxy": address})
            with pytest.raises(TransportFailed, match=r"certificate of 127\.0\.0\.1"):
                await text_of(transport)

    with ModelServer([says("hi")], tls=server_side(authority)) as server:
        asyncio.run(run(server))
        assert server.requests == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", "opens no tunnel to 127.0.0.1:1: 407"),
        (b"SMTP?\r\n\r\n", "opens no tunnel to 127.0.0.1:1: no HTTP"),
        (b"HTTP/1.1 200", "cannot connect to 127.0.0.1:1: IncompleteReadError"),
    ],
)
def test_a_proxy_that_opens_no_tunnel(answer: bytes, told: str) -> None:
    """The connection has failed, and the proxy's credentials are not told."""

    async def run() -> RunFault:
        async with Proxy(answer).at_work() as address:
            transport = HttpTransport(
                "https://127.0.0.1:1", lambda: KEY, environ={"https_proxy": f"http://me:s3cret@{address}"}
            )
            with pytest.raises(TransportFailed) as raised:
                await text_of(transport)
            assert "s3cret" not in f"{raised.value!r} {transport!r}"
            return raised.value.fault

    fault = asyncio.run(run())
    assert (fault.code, fault.transient, fault.started) == ("connect_failed", True, False)
    assert fault.message.endswith(told)


def test_plain_http_through_a_proxy() -> None:
    """The proxy is asked for the whole URL, and given its credentials; `no_proxy` goes around it."""
    with ModelServer([says("proxied"), says("direct")]) as server:
        address = f"127.0.0.1:{server.port}"
        environ = {"http_proxy": f"http://me:s3cret@{address}", "no_proxy": "127.0.0.1"}
        texts = [
            asyncio.run(text_of(HttpTransport(url, lambda: KEY, environ=environ)))
            for url in ("http://gw.example/team", f"http://{address}")
        ]
        assert texts == ["proxied", "direct"]
        first, second = server.requests
    assert (first.path, first.headers["host"]) == ("http://gw.example/team/v1/messages", "gw.example")
    assert first.headers["proxy-authorization"] == PAIR
    assert (second.path, "proxy-authorization" in second.headers) == ("/v1/messages", False)
