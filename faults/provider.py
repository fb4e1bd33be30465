"""Two providers: the embedded one as a healthy process of its own, and a peer that a scenario plays byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import sys
from typing import TYPE_CHECKING, cast

import msgspec

from faults.children import Child
from faults.client import once
from faults.clock import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b'data: {"model":"m-1","choices":[{"index":0,"delta":{"content":"hello "}}]}\n\n'
USAGE = b'{"model":"m-1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}'
LINE_S = 60.0
"""Seconds after which a played connection is given up whatever its script waits for."""


class Healthy:
    """The embedded provider as a process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._child: Child | None = None
        self.port = 0

    async def start(self) -> None:
        """Start it on a free port."""
        said = self._folder / "provider.out"
        with said.open("wb") as out:
            command = [sys.executable, "-m", "beyond_gateway.mock"]
            self._child = Child(command, stdout=out, stderr=out, cwd=self._folder)
        await until(lambda: said.read_text().endswith("\n"), "the provider's address", 20)
        self.port = int(said.read_text().splitlines()[0].rpartition(":")[2])

    async def open_connections(self) -> int:
        """Return how many connections the gateway holds to it."""
        answer = await once(self.port, b"GET /_mock/connections HTTP/1.1\r\nHost: provider\r\n\r\n")
        return int(msgspec.json.decode(answer.body)["open"]) - 1

    async def stop(self) -> None:
        """End it."""
        if self._child is not None:
            await self._child.stop(2)


class Line:
    """One connection from the gateway to the peer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    async def head(self) -> bytes:
        """Return the head of a request."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> None:
        """Read one whole request, by its Content-Length."""
        found = re.search(rb"(?i)content-length: (\d+)", await self.head())
        await self.reader.readexactly(int(found[1]) if found else 0)

    async def send(self, data: bytes) -> None:
        """Send bytes once there is room. Raises OSError where the gateway has closed the connection."""
        if self._writer.transport.is_closing():
            # uvloop's transport says so by a RuntimeError, once it is closed and not only closing.
            raise ConnectionResetError
        self._writer.write(data)
        await self._writer.drain()

    async def chunk(self, payload: bytes) -> None:
        """Send one chunk."""
        await self.send(b"%x\r\n%b\r\n" % (len(payload), payload))

    async def gone(self) -> None:
        """Return when the gateway has closed the connection."""
        while await self.reader.read(65536):
            pass

    def reset(self) -> None:
        """End the connection with a reset."""
        raw = cast("socket.socket | None", self._writer.get_extra_info("socket"))
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close(self) -> None:
        """End the connection in order."""
        self._writer.close()


class Peer:
    """A listening socket; every connection to it is played by the script in force when it came."""

    def __init__(self) -> None:
        self.script: Callable[[Line], Awaitable[None]] = Line.gone
        self.open = 0
        self.accepted = 0
        self.faults: list[str] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, backlog=4096)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.open += 1
        self.accepted += 1
        try:
            async with asyncio.timeout(LINE_S):
                await self.script(Line(reader, writer))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        except Exception as fault:  # noqa: BLE001 - a broken script makes its scenario red, not the harness
            self.faults.append(f"script: {fault!r}")
        finally:
            self.open -= 1
            writer.transport.abort()

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.gather(*self._tasks, return_exceptions=True)
