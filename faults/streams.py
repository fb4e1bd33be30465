"""Many managed streams at a time, begun together and read to their ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from faults.client import Client, chat, request

if TYPE_CHECKING:
    from faults.world import World

AT_A_TIME = 100


async def streams(world: World, count: int, model: str) -> list[Client]:
    """Open `count` managed streams and wait until each has its first event."""
    data = request("/openai/v1/chat/completions", chat(model, stream=True), key=world.key)
    clients: list[Client] = []
    while len(clients) < count:
        fresh = await asyncio.gather(*(world.client() for _ in range(min(AT_A_TIME, count - len(clients)))))
        for client in fresh:
            client.send(data)
        clients += fresh
    async with asyncio.timeout(15):
        await asyncio.gather(*(client.reader.readuntil(b"\r\n\r\n") for client in clients))
    world.expected.must += count
    return clients


async def rest_of(client: Client) -> bytes:
    """What still comes up to the connection's end, or up to the end of the response."""
    data = b""
    try:
        while not data.endswith(b"0\r\n\r\n") and (piece := await client.reader.read(65536)):
            data += piece
    except OSError:
        pass
    client.leave()
    return data


async def ends_of(clients: list[Client], seconds: float) -> list[bytes]:
    """Return what still comes on each, within `seconds`."""
    async with asyncio.timeout(seconds):
        return await asyncio.gather(*(rest_of(client) for client in clients))
