"""Keeps a worker's deny-set equal to the bucket: snapshot first, then connection after connection to NATS.

Fail-open: nothing here is waited for by a request, and whatever goes wrong, our own faults included, leaves the set as
it last was, or as the snapshot had it, and is tried again after a wait. Contract: gw contract, deny-set.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from beyond_gateway.deny.backoff import Backoff
from beyond_gateway.deny.entries import DenySet
from beyond_gateway.deny.follow import Follower
from beyond_gateway.deny.nats_client import NatsFailed, connect, credentials
from beyond_gateway.deny.snapshot import Snapshot
from beyond_gateway.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_gateway.config import Config
    from beyond_gateway.log import Log

TICK_S: Final = 0.5
"""How often entries are let expire that the store drops without a message."""
CANCEL_AGAIN_S: Final = 0.5
"""How long a cancelled task may take to end, such as to write a last snapshot, before it is cancelled again."""


class DenyWatch:
    """The deny-set's one writer in a worker.

    `connected` tells whether the store is being followed. Make it before serving: that loads the snapshot, and raises
    OperatorError for credentials that cannot be used. Then let `run` be a task until the end.
    """

    def __init__(
        self, config: Config, log: Log, *, connected: Callable[[bool], None], writes_snapshot: bool = True
    ) -> None:
        credentials(config)
        self.denied = DenySet()
        self.connected = False
        self._config = config
        self._log = log
        self._tell = connected
        self._follower = Follower(config.config_bucket, self.denied, log)
        self._snapshot: Snapshot | None = None
        if config.snapshot_path is not None:
            self._snapshot = Snapshot(config.snapshot_path, config.config_bucket, writes=writes_snapshot)
            self._load(self._snapshot)

    def __repr__(self) -> str:
        return f"<DenyWatch connected={self.connected} {self.denied!r}>"

    async def run(self) -> None:
        """Follow the store until cancelled, which writes a last snapshot."""
        loop = asyncio.get_running_loop()
        tasks = [
            loop.create_task(self._expire(), name="deny-set expiry"),
            loop.create_task(self._reconnect(), name="deny-set watch"),
        ]
        if self._snapshot is not None:
            keep = self._snapshot.keep(self.denied, lambda: self._follower.resume_point, self._log)
            tasks.append(loop.create_task(keep, name="deny-set snapshot"))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await _ended(tasks)
            self._set_connected(value=False)
        for task in tasks:
            if not task.cancelled():
                task.result()

    def _load(self, snapshot: Snapshot) -> None:
        loaded = snapshot.load(self._log)
        if loaded is not None:
            denied, point = loaded
            self._follower.restore(point)
            self.denied.swap(denied)
            self.denied.expire(self._follower.now())
            self._log.info("deny-set from snapshot", entries=len(self.denied), revision=self.denied.revision)

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.denied.expire(self._follower.now())

    async def _reconnect(self) -> None:
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        while True:
            following_since: float | None = None
            client = None
            try:
                client = await connect(self._config)
                following_since = loop.time()
                await self._follower.follow(client, lambda: self._set_connected(value=True))
            except (NatsFailed, OperatorError) as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 - fail-open: a fault of the watch must not end the gateway
                reason = f"fault in the watch: {type(error).__name__}"
            finally:
                self._set_connected(value=False)
                if client is not None:
                    await client.end()
            wait = backoff.after(0.0 if following_since is None else loop.time() - following_since)
            self._log.warning("deny-set is not followed", reason=reason, entries=len(self.denied), retry_s=wait)
            await asyncio.sleep(wait)

    def _set_connected(self, *, value: bool) -> None:
        if value is not self.connected:
            self.connected = value
            self._tell(value)


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    """End tasks, cancelled again until they have ended.

    `asyncio.wait_for` of Python 3.11, by which nats-py waits, loses a cancel that comes in the same turn as what it
    waits for, as when a connection is refused just then.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCEL_AGAIN_S)
