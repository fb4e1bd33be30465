"""Opens many streams and holds them. Run: stream_client.py PORT COUNT EVENTS REQUEST_FILE.

Prints one line with the number of streams that have received EVENTS events each, then holds them until standard input
ends.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

import uvloop

# As many connections at a time as are being opened: well below every listen backlog.
OPENING = 100


async def open_stream(port: int, request: bytes, events: int) -> asyncio.StreamWriter | None:
    """A stream that has delivered `events` events, or None when it ended before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    writer.write(request)
    for _ in range(events):
        line = b""
        while not line.startswith(b"data: "):
            line = await reader.readline()
            if not line:
                return None
    return writer


async def main(port: int, count: int, events: int, request: bytes) -> None:
    """Open, report, hold."""
    gate = asyncio.Semaphore(OPENING)

    async def one() -> asyncio.StreamWriter | None:
        async with gate:
            return await open_stream(port, request, events)

    held = [writer for writer in await asyncio.gather(*(one() for _ in range(count))) if writer]
    print(len(held), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    target, streams, wanted = (int(word) for word in sys.argv[1:4])
    uvloop.run(main(target, streams, wanted, Path(sys.argv[4]).read_bytes()))
