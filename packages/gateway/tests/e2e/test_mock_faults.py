"""Faults of the embedded provider, byte by byte over real sockets, on both event loops."""

import asyncio
import subprocess
import sys
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from beyond_gateway.mock import MockProvider

pytestmark = pytest.mark.e2e

Scenario = Callable[[MockProvider, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(params=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Callable[[Scenario], None]:
    """Runs a scenario with a provider and one connection to it; both are closed after it."""

    async def scene(scenario: Scenario) -> None:
        provider = MockProvider()
        port = await provider.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.wait_for(scenario(provider, reader, writer), 20)
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
            await provider.close()
            assert provider.open_connections == 0

    def run(scenario: Scenario) -> None:
        factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(scene(scenario))

    return run


def chat(model: str, extra: str = "", *, stream: bool = False, pad: int = 0) -> bytes:
    talk = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi" + "x" * pad}]}
    body = msgspec.json.encode(talk)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nApi-Key: k\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def until(condition: Callable[[], Any]) -> None:
    for _ in range(2_000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise TimeoutError


async def unchunk(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        assert await reader.readexactly(2) == b"\r\n"
    return body


async def head_of(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def test_cut_ends_after_exactly_so_many_body_bytes(play: Callable[[Scenario], None]) -> None:
    """A slow client gets the asked number of body bytes, all of them, and no valid end."""

    async def scenario(provider: MockProvider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(chat("mock:cut=8000000,bytes=9000000,length=1"))
        head = await head_of(reader)
        received = 0
        while part := await reader.read(65_536):
            received += len(part)
            await asyncio.sleep(0.001)  # the provider's buffer is full when it comes to the cut

        assert b"content-length: 9000000" in head
        assert received == 8_000_000
        assert [(seen.aborted, seen.answered) for seen in provider.requests] == [(False, False)]

    play(scenario)


@pytest.mark.parametrize(("model", "received"), [("mock:cut=-1", b""), ("mock:cut=-1,reset=1", None)])
def test_cut_before_the_head(play: Callable[[Scenario], None], model: str, received: bytes | None) -> None:
    """A cut at -1 closes without a byte; with reset the client's read fails."""

    async def scenario(_: MockProvider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(chat(model))
        if received is None:
            with pytest.raises(ConnectionResetError):
                await reader.read(-1)
        else:
            assert await reader.read(-1) == received

    play(scenario)


def test_a_client_that_leaves_a_stalled_stream_is_recorded(play: Callable[[Scenario], None]) -> None:
    """After the asked number of events nothing comes; the record tells that and when the client went away."""

    async def scenario(provider: MockProvider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(chat("mock:stall_after=2", stream=True))
        await head_of(reader)
        for _ in range(2):
            await reader.readuntil(b"\n\n\r\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        seen = provider.requests[0]
        assert not seen.aborted

        writer.close()
        await until(lambda: seen.aborted)

        assert seen.aborted_at
        assert seen.aborted_at > seen.received_at
        assert not seen.answered

    play(scenario)


def test_keep_alive_and_pipelining(play: Callable[[Scenario], None]) -> None:
    """Two requests in one packet are answered in order on one connection, chunked and with a length."""

    async def scenario(provider: MockProvider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(chat("one") + chat("mock:length=1,resolved=two"))
        assert b"transfer-encoding: chunked" in await head_of(reader)
        assert b'"model":"one"' in await unchunk(reader)
        head = await head_of(reader)
        size = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        assert b'"model":"two"' in await reader.readexactly(size)

        assert [seen.connection for seen in provider.requests] == [1, 1]
        assert (provider.accepted, provider.open_connections) == (1, 1)
        assert all(seen.answered for seen in provider.requests)

    play(scenario)


def test_early_answers_before_the_body_is_complete(play: Callable[[Scenario], None]) -> None:
    """The 400 comes while most of the body is unsent, and says that the connection will close."""

    async def scenario(provider: MockProvider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(chat("mock:early=1", pad=1_000_000)[:2_000])
        head = await head_of(reader)

        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"connection: close" in head
        assert not provider.requests[0].complete

    play(scenario)


def test_hold_stops_reading(play: Callable[[Scenario], None]) -> None:
    """While a request is held the provider takes no further body bytes, so the client's writes fill up."""

    async def scenario(provider: MockProvider, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(chat("mock:hold=60", pad=32_000_000))
        await until(lambda: provider.requests)
        await until(lambda: provider.requests[0].size)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.2)

        assert provider.requests[0].size < 1_000_000
        writer.transport.abort()

    play(scenario)


def test_expect_100_continue(play: Callable[[Scenario], None]) -> None:
    """The provider invites the body of a client that waits for it, and answers at once when it asked for early."""

    async def scenario(_: MockProvider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        whole = chat("gpt-x", "Expect: 100-continue\r\n")
        head, body = whole.split(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        assert await head_of(reader) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await head_of(reader)).startswith(b"HTTP/1.1 200 ")
        await unchunk(reader)
        await reader.readline()

        writer.write(head.replace(b"completions ", b"completions?mock=early%3D1 ") + b"\r\n\r\n")
        assert (await head_of(reader)).startswith(b"HTTP/1.1 400 ")

    play(scenario)


@pytest.mark.parametrize(
    ("model", "has", "lacks"),
    [
        ("mock:http10=1", b"HTTP/1.0 200 OK", b"transfer-encoding"),
        ("mock:close=1", b"connection: close", b"HTTP/1.0"),
        ("mock:status=204,close=1", b"HTTP/1.1 204 ", b"transfer-encoding"),
        ("mock:early_hints=1,close=1", b"103 Early Hints", b"content-length"),
        ("mock:hop=1,close=1", b"connection: x-hop", b"content-length"),
        ("mock:beyond_header=1,close=1", b"x-beyond-request-id: from-upstream", b"content-length"),
        ("mock:trailer=1,close=1", b"0\r\nx-trailer: 1\r\n\r\n", b"content-length"),
        ("mock:chunk_ext=1,close=1", b";mock=1\r\n", b"content-length"),
    ],
)
def test_framing_on_demand(play: Callable[[Scenario], None], model: str, has: bytes, lacks: bytes) -> None:
    """Old versions, closes, missing bodies, early hints, trailers and extensions are on the wire as asked."""

    async def scenario(_: MockProvider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(chat(model))
        received = await reader.read(-1)

        assert has in received
        assert lacks not in received

    play(scenario)


def test_compressed_events_leave_one_by_one(play: Callable[[Scenario], None]) -> None:
    """With gzip each event can be read before the next is sent."""

    async def scenario(_: MockProvider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(chat("mock:gzip=1,stall_after=1", stream=True))
        await head_of(reader)
        size = int(await reader.readline(), 16)
        event = zlib.decompressobj(wbits=31).decompress(await reader.readexactly(size))

        assert event.startswith(b"data: ")
        assert event.endswith(b"\n\n")

    play(scenario)


def test_head_and_http_1_0_clients(play: Callable[[Scenario], None]) -> None:
    """HEAD gets no body, and a client of HTTP/1.0 gets no chunks."""

    async def scenario(_: MockProvider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HEAD /v1/models HTTP/1.1\r\nHost: h\r\nApi-Key: k\r\n\r\n")
        assert b"200 OK" in await head_of(reader)
        writer.write(b"GET /v1/models HTTP/1.0\r\nApi-Key: k\r\n\r\n")
        received = await reader.read(-1)

        assert received.startswith(b"HTTP/1.1 200 OK")
        assert b"chunked" not in received
        assert msgspec.json.decode(received.partition(b"\r\n\r\n")[2])

    play(scenario)


def test_bad_http_is_refused(play: Callable[[Scenario], None]) -> None:
    """What is not HTTP gets 400 and the connection ends."""

    async def scenario(_: MockProvider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"NONSENSE\r\n\r\n")
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 400 ")

    play(scenario)


def test_the_record_over_http(play: Callable[[Scenario], None]) -> None:
    """Requests are listed, counted and forgotten over HTTP, the provider's own pages not among them."""

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str) -> Any:
        writer.write(f"{line} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        head = await head_of(reader)
        return msgspec.json.decode(await reader.readexactly(int(head.split(b"content-length: ")[1].split()[0])))

    async def scenario(_: MockProvider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(chat("gpt-x"))
        await head_of(reader)
        await unchunk(reader)
        await reader.readline()

        [seen] = (await ask(reader, writer, "GET /_mock/requests"))["requests"]
        assert (seen["method"], seen["target"], seen["answered"]) == ("POST", "/v1/chat/completions", True)
        assert seen["headers"][:2] == [["Host", "h"], ["Api-Key", "k"]]
        assert '"model":"gpt-x"' in seen["body"]
        assert await ask(reader, writer, "GET /_mock/connections") == {"open": 1, "accepted": 1}
        await ask(reader, writer, "DELETE /_mock/requests")
        assert await ask(reader, writer, "GET /_mock/requests") == {"requests": []}

    play(scenario)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--listen", "nowhere"], "--listen nowhere"), (["--script", "missing.json"], "missing.json")],
)
def test_wrong_options_are_named(arguments: list[str], named: str, tmp_path: Path) -> None:
    """The process ends with status 2 and one line that names the option."""
    command = [sys.executable, "-m", "beyond_gateway.mock", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, cwd=tmp_path)

    assert done.returncode == 2
    assert named in done.stderr
    assert done.stderr.count("\n") == 1
