"""Clients of a serving socket, each with a session and a prompt of its own: agent_crowd.py SOCKET COUNT DELTAS EVERY_S.

Writes a line `ready` when every session is there, waits for a line, prompts all, writes `running` when all were
acknowledged, waits for the ends, and writes one line of JSON. A process of its own, so that it takes neither the
server's core nor the time of whoever asks for states meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import msgspec

LIMIT = 1 << 24
AT_ONCE = 16


class Client:
    """One connection. `ages_ms` are those of deltas when they were read, `longest_s` the longest time between two."""

    def __init__(self) -> None:
        self.acknowledged = asyncio.Event()
        self.ages_ms: list[float] = []
        self.longest_s = 0.0
        self.began = self.ended = 0.0

    async def open(self, path: str) -> None:
        """Connect, make a session, and have its frames."""
        self._reader, self._writer = await asyncio.open_unix_connection(path, limit=LIMIT)
        await self._until("ready")
        for command in ("new_session", "attach"):
            self._say(command)
            await self._until("response")

    async def prompt(self, deltas: int, every_s: float) -> None:
        """Run a prompt to its end."""
        self._say("prompt", message=json.dumps({"deltas": deltas, "every_s": every_s}))
        while (line := await self._reader.readline()).startswith((b'{"type":"event"', b'{"type":"ack"')):
            if b'"text_delta"' in line:
                self._take(line)
            elif line.startswith(b'{"type":"ack"'):
                self.acknowledged.set()
        frame = msgspec.json.decode(line)
        assert frame["success"], frame
        assert frame["data"]["outcome"] == "done", frame
        assert len(self.ages_ms) == deltas, (len(self.ages_ms), deltas)

    def close(self) -> None:
        """Leave."""
        self._writer.close()

    def _take(self, line: bytes) -> None:
        now = time.monotonic()
        if self.ages_ms:
            self.longest_s = max(self.longest_s, now - self.ended)
        else:
            self.began = now
        self.ended = now
        made = line.partition(b'"text":"')[2].partition(b'"')[0]
        self.ages_ms += [(now * 1e9 - int(each)) / 1e6 for each in made.split()]

    def _say(self, kind: str, **fields: Any) -> None:
        self._writer.write(json.dumps({"type": kind, **fields}).encode() + b"\n")

    async def _until(self, kind: str) -> None:
        while (frame := msgspec.json.decode(await self._reader.readline()))["type"] != kind:
            pass
        assert kind != "response" or frame["success"], frame


async def main(path: str, count: int, deltas: int, every_s: float) -> None:
    """All of them at once."""
    clients = [Client() for _ in range(count)]
    for at in range(0, count, AT_ONCE):
        await asyncio.gather(*(client.open(path) for client in clients[at : at + AT_ONCE]))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.prompt(deltas, every_s))
        for client in clients:
            await client.acknowledged.wait()
        print("running", flush=True)
    ages = sorted(age for client in clients for age in client.ages_ms)
    print(
        json.dumps(
            {
                "deltas": len(ages),
                "seconds": max(client.ended for client in clients) - min(client.began for client in clients),
                "started_s": max(client.began for client in clients) - began,
                "longest_ms": max(client.longest_s for client in clients) * 1e3,
                "age_p50_ms": ages[len(ages) // 2],
                "age_p99_ms": ages[len(ages) * 99 // 100],
            }
        ),
        flush=True,
    )
    await asyncio.to_thread(sys.stdin.readline)
    for client in clients:
        client.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
