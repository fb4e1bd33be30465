"""What a peer plays on one connection: a provider that fails in one particular way, from the request to its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from faults.provider import EVENT, JSON_HEAD, SSE_HEAD

if TYPE_CHECKING:
    from faults.provider import Line


async def resets(line: Line) -> None:
    await line.request()
    line.reset()


async def resets_in_the_body(line: Line) -> None:
    await line.request()
    await line.send(JSON_HEAD + b"Content-Length: 1000\r\n\r\n" + EVENT)
    await asyncio.sleep(0.1)
    line.reset()


async def stalls(line: Line) -> None:
    await line.request()
    await line.gone()


async def stalls_after_the_head(line: Line) -> None:
    await line.request()
    await line.send(SSE_HEAD)
    await line.chunk(EVENT)
    await line.gone()


async def trickles(line: Line) -> None:
    await line.request()
    await line.send(SSE_HEAD)
    for byte in b"%x\r\n%b" % (len(EVENT), EVENT):
        await line.send(bytes((byte,)))
        await asyncio.sleep(1.0)


async def trickles_its_head(line: Line) -> None:
    await line.request()
    for byte in JSON_HEAD:
        await line.send(bytes((byte,)))
        await asyncio.sleep(1.0)


async def endless_headers(line: Line) -> None:
    await line.request()
    await line.send(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        await line.send(b"x-%d: %b\r\n" % (number, b"a" * 200))


async def endless_hints(line: Line) -> None:
    await line.request()
    while True:
        await line.send(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
        await asyncio.sleep(0.02)


async def closes_in_a_chunk(line: Line) -> None:
    await line.request()
    await line.send(SSE_HEAD)
    await line.chunk(EVENT)
    await line.send(b"%x\r\n%b" % (len(EVENT), EVENT[:20]))
    await asyncio.sleep(0.1)
    line.close()


async def talks_nonsense(line: Line) -> None:
    await line.request()
    await line.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    await line.gone()


async def answers_early(line: Line) -> None:
    await line.head()
    body = b'{"error":{"message":"too large","type":"invalid_request_error"}}'
    await line.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await line.gone()


async def reads_nothing(line: Line) -> None:
    await line.head()
    await asyncio.sleep(30)
