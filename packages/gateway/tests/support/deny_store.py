"""The deny-set's two sides in one test: a store changed through nats-py's own KV, and a watch that follows it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import nats
from nats.js.errors import NoKeysError, NotFoundError

from beyond_gateway.config import Config
from beyond_gateway.deny.entries import key_of, parse_key, parse_reason
from beyond_gateway.deny.watch import DenyWatch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from nats.js.kv import KeyValue

WAIT_S = 15.0
Contents = tuple[set[int], set[int]]


async def until(condition: Callable[[], Any], what: str, seconds: float = WAIT_S) -> float:
    """Wait until it holds; return the seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"never came: {what}"
        await asyncio.sleep(0.005)
    return time.monotonic() - began


class Lines:
    """Keeps what would be logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, message: str, **fields: Any) -> None:
        self.lines.append((message, fields))

    warning = info

    def fields(self, message: str) -> list[dict[str, Any]]:
        """The fields of each line that says this."""
        return [fields for said, fields in self.lines if said == message]


class Watching:
    """A watch that runs, with what it told."""

    def __init__(self, watch: DenyWatch, log: Lines, connected: list[bool]) -> None:
        self.watch = watch
        self.denied = watch.denied
        self.log = log
        self.connected = connected

    @property
    def contents(self) -> Contents:
        """Entries refused with 402 and with 403."""
        return self.denied.spend, self.denied.suspended

    def follows(self, times: int = 1) -> bool:
        """Whether it has begun so many times to follow a consumer."""
        return len(self.log.fields("deny-set is followed")) >= times

    def scanned(self) -> list[bool]:
        """For each time it began to follow: whether by a scan."""
        return [fields["scanned"] for fields in self.log.fields("deny-set is followed")]


def config(url: str, bucket: str = "ai-gateway", snapshot: Path | None = None, **more: Any) -> Config:
    return Config(nats_url=url, config_bucket=bucket, snapshot_path=snapshot, **more)


@contextlib.asynccontextmanager
async def watching(settings: Config) -> AsyncGenerator[Watching]:
    """Give a running watch, and end it."""
    log: Any = Lines()
    connected: list[bool] = []
    watch = DenyWatch(settings, log, connected=connected.append)
    task = asyncio.ensure_future(watch.run())
    try:
        yield Watching(watch, log, connected)
        assert not task.done(), "the watch ended by itself"
    finally:
        task.cancel()
        await asyncio.wait([task])


class Store:
    """A bucket as an operator's tools see it."""

    def __init__(self, connection: Any, stream: str) -> None:
        self.connection = connection
        self.js = connection.jetstream()
        self.stream = stream
        self.kv: KeyValue

    async def create(self, **options: Any) -> None:
        """Make the bucket, with options of `KeyValueConfig`."""
        self.kv = await self.js.create_key_value(bucket=self.stream.removeprefix("KV_"), **options)

    async def put(self, entry: int, value: bytes = b"spend", ttl_s: int | None = None) -> int:
        """Write an entry; return its revision."""
        if ttl_s is None:
            return await self.kv.put(key_of(entry), value)
        subject = f"$KV.{self.stream.removeprefix('KV_')}.{key_of(entry)}"
        return (await self.js.publish(subject, value, headers={"Nats-TTL": f"{ttl_s}s"})).seq

    async def delete(self, entry: int) -> None:
        await self.kv.delete(key_of(entry))

    async def contents(self) -> Contents:
        """What the store has: entries with reason `spend`, and all others."""
        spend, others = set[int](), set[int]()
        try:
            keys = await self.kv.keys()  # pyright: ignore[reportUnknownMemberType] - untyped
        except NoKeysError:
            keys = []
        for key in keys:
            entry = parse_key(key.encode())
            if entry is None:
                continue
            with contextlib.suppress(NotFoundError):
                value = (await self.kv.get(key)).value or b""
                (spend if parse_reason(value) == "spend" else others).add(entry)
        return spend, others

    async def wipe(self) -> None:
        """Remove all messages without a word to anybody."""
        await self.js.purge_stream(self.stream)

    async def drop(self) -> None:
        """Remove the bucket."""
        await self.js.delete_stream(self.stream)


@contextlib.asynccontextmanager
async def store(url: str, bucket: str = "ai-gateway", **options: Any) -> AsyncGenerator[Store]:
    """Give a connection of its own to a new bucket; `create=False` leaves it to the test to make it."""
    connection = await nats.connect(url, allow_reconnect=False)  # pyright: ignore[reportUnknownMemberType] - untyped
    try:
        made = Store(connection, f"KV_{bucket}")
        if options.pop("create", True):
            await made.create(**options)
        yield made
    finally:
        await connection.close()
