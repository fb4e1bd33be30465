"""A provider for big bodies: swallows any upload, answers a path that ends in `/embeddings` with SIZE bytes.

Run: bulk_mock.py PORT SIZE. Back-pressure is honoured, so that the proxy's memory shows and not the mock's.
"""

from __future__ import annotations

import asyncio
import re
import sys

import uvloop

LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
PIECE = b"0123456789abcdef" * 4096
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
SMALL = JSON_HEAD + b'content-length: 15\r\n\r\n{"text":"done"}'


async def serve_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
    """One kept-alive connection until its end."""
    while head := await _head(reader):
        length = LENGTH.search(head)
        await _swallow(reader, int(length[1]) if length else None)
        if head.split(b" ", 2)[1].endswith(b"/embeddings"):
            writer.write(JSON_HEAD + b"content-length: %d\r\n\r\n" % size)
            for _ in range(size // len(PIECE)):
                writer.write(PIECE)
                await writer.drain()
        else:
            writer.write(SMALL)
        await writer.drain()
    writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return b""


async def _swallow(reader: asyncio.StreamReader, length: int | None) -> None:
    """Read a body; one without a length is chunked and ends at an empty chunk, which the filler never resembles."""
    if length is None:
        tail = b""
        while not tail.endswith(b"\r\n0\r\n\r\n"):
            tail = tail[-8:] + (await reader.read(1 << 18) or b"\r\n0\r\n\r\n")
        return
    while length > 0 and (data := await reader.read(min(length, 1 << 18))):
        length -= len(data)


async def serve(port: int, size: int) -> None:
    """Answer on the loopback until the process is ended."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_client(reader, writer, size)

    server = await asyncio.start_server(client, "127.0.0.1", port, limit=1 << 18)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
