"""One connection over a real socket: answers that come early, late, cut or never, and what is left of it then."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from core_http import fault_of, key, request, text_of

from beyond_agent_core.client import HttpTransport
from beyond_agent_core.testing.model_server import ModelServer
from beyond_agent_core.testing.model_server_http import chunk, head
from beyond_agent_core.testing.model_server_script import BrokenStream, Raw
from beyond_agent_core.testing.turns import says
from beyond_wire.types import MessageStop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable


pytestmark = pytest.mark.e2e
STREAM = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
WHOLE = head(200, STREAM) + chunk(STOP) + chunk(b"")


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
