"""Keeps a worker's deny-set equal to the bucket: connect, scan or resume, follow, and again when that ends.

Fail-open: nothing here is waited for by a request, and whatever goes wrong leaves the set as it last was, or as the
snapshot had it. A watch ends in one of three ways. The connection is gone, or the server is silent: heartbeats of the
consumer and answers about the stream both stop when a server freezes, while its TCP connection stays. The bucket is
gone or is another one. Or entries may have left without a message (see `stream`): then a scan follows on the same
connection, for at most a hundredth of the time, whatever a scan costs. Contract: gw contract, deny-set.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from beyond_gateway.deny.backoff import Backoff
from beyond_gateway.deny.entries import DenySet
from beyond_gateway.deny.feed import Feed
from beyond_gateway.deny.nats_client import NatsClient, NatsFailed, connect, credentials
from beyond_gateway.deny.snapshot import Snapshot
from beyond_gateway.deny.stream import NOT_FOUND, ApiError, Drift, StreamInfo, mark, parse_info, resume_at
from beyond_gateway.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_gateway.config import Config
    from beyond_gateway.deny.stream import Mark
    from beyond_gateway.log import Log

LOOK_S: Final = 2.0
"""Seconds between two looks at the stream, and between heartbeats of an idle consumer."""
SILENT_LOOKS: Final = 3
"""Looks without anything from the consumer after which it counts as lost; a heartbeat comes for each."""
MISSING_S: Final = 1.0
"""Seconds between two looks for a bucket that is not there: its first entry must be seen within about that."""
REST_PER_ENTRY_S: Final = 0.001
"""Seconds for each entry between two scans for suspicion: one takes some 8 us, so scans at most 1 % of the time."""
TICK_S: Final = 0.5
"""How often entries are let expire that the store drops without a message."""


class _Created(msgspec.Struct, frozen=True):
    """Answer to CONSUMER.CREATE."""

    num_pending: int = 0
    error: ApiError | None = None


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
        self._prefix = f"$KV.{config.config_bucket}."
        self._stream = f"KV_{config.config_bucket}"
        self._drift: Drift | None = None
        self._offset_s = 0.0
        self._scanned_at = float("-inf")
        self._missing = 0
        self._snapshot: Snapshot | None = None
        if config.snapshot_path is not None:
            self._snapshot = Snapshot(config.snapshot_path, config.config_bucket, writes=writes_snapshot)
            self._load(self._snapshot)

    def __repr__(self) -> str:
        return f"<DenyWatch connected={self.connected} {self.denied!r}>"

    async def run(self) -> None:
        """Follow the store until cancelled, which writes a last snapshot."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._expire(), name="deny-set expiry")
                if self._snapshot is not None:
                    tasks.create_task(
                        self._snapshot.keep(self.denied, self._resume_point, self._log), name="deny-set snapshot"
                    )
                tasks.create_task(self._reconnect(), name="deny-set watch")
        finally:
            self._set_connected(value=False)

    def _load(self, snapshot: Snapshot) -> None:
        loaded = snapshot.load(self._log)
        if loaded is not None:
            denied, point = loaded
            self._drift = Drift(point) if point is not None else None
            self.denied.swap(denied)
            self.denied.expire(self._now())
            self._log.info("deny-set from snapshot", entries=len(self.denied), revision=self.denied.revision)

    def _resume_point(self) -> Mark | None:
        return self._drift.mark if self._drift is not None else None

    def _now(self) -> float:
        """Return the store's wall time."""
        return time.time_ns() / 1e9 + self._offset_s

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.denied.expire(self._now())

    async def _reconnect(self) -> None:
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        while True:
            following_since: float | None = None
            client = None
            try:
                client = await connect(self._config)
                following_since = loop.time()
                await self._watch(client)
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

    async def _watch(self, client: NatsClient) -> NoReturn:
        """Follow the bucket, whatever becomes of it, until the connection or the server fails: raises NatsFailed."""
        while True:
            info = await self._look(client)
            self._set_connected(value=True)
            if info is None:
                await _pause(client, MISSING_S)
                continue
            await self._follow(client, info)
            await client.unfollow()

    async def _look(self, client: NatsClient) -> StreamInfo | None:
        """State of the stream, or None where there is none, which empties the set at the second look."""
        answer = await client.api(f"STREAM.INFO.{self._stream}")
        try:
            info = parse_info(answer)
        except msgspec.DecodeError:
            raise NatsFailed("JetStream gave an answer that cannot be read") from None
        if info.error is None:
            self._missing = 0
            self._offset_s = info.clock_offset(time.time_ns() / 1e9)
            return info
        if info.error.err_code not in NOT_FOUND:
            raise NatsFailed(f"JetStream refused: {info.error.description}")
        self._missing += 1
        if self._missing == 1:
            self._log.warning("bucket of the deny-set is missing", bucket=self._config.config_bucket)
        elif self._missing == 2:
            self._drift = None
            self.denied.swap(DenySet())
        return None

    async def _follow(self, client: NatsClient, info: StreamInfo) -> None:
        """Follow one consumer; return where a new one is due."""
        start = resume_at(self._resume_point(), info, self.denied.revision)
        feed = Feed(self.denied, self._prefix.encode(), max_age_s=info.max_age_s, scan=start is None)
        inbox = client.new_inbox()
        await client.follow(inbox, feed.message)
        feed.created(await self._consume(client, inbox, start))
        if start is None:
            await self._scanned(client, feed)
            self._scanned_at = time.monotonic()
            self._drift = Drift(mark(info))
        self._log.info(
            "deny-set is followed", entries=len(self.denied), revision=self.denied.revision, scanned=start is None
        )
        await self._keep_looking(client, feed, info)

    async def _keep_looking(self, client: NatsClient, feed: Feed, last: StreamInfo) -> None:
        """Return where a new consumer is due; meanwhile take in the states of the stream that hold no surprise."""
        silent = 0
        while (drift := self._drift) is not None:
            await _pause(client, LOOK_S)
            silent = 0 if feed.heard else silent + 1
            feed.heard = False
            if feed.gap or silent >= SILENT_LOOKS:
                raise NatsFailed("a delivery was missed" if feed.gap else "the consumer is silent")
            seen = await self._look(client)
            if seen is None:
                await _pause(client, MISSING_S)
                return
            if seen.created != drift.mark.created:
                return
            # All of a state is in the set when its last message came by, or when the consumer fell idle behind it.
            idle = feed.idle and seen.state.last_seq == last.state.last_seq
            feed.idle = False
            last = seen
            # What came after the look was taken is not in it.
            size = len(self.denied) - max(0, self.denied.revision - seen.state.last_seq)
            if drift.suspects(seen, size, self.denied.unannounced, self.denied.due(self._now())):
                # Until it may be looked into, the mark stays behind and the suspicion with it.
                if time.monotonic() - self._scanned_at > REST_PER_ENTRY_S * len(self.denied):
                    return
            elif idle or self.denied.revision >= seen.state.last_seq:
                drift.advance(seen)

    async def _consume(self, client: NatsClient, inbox: str, start: int | None) -> int:
        """Make the consumer that delivers to `inbox`; return how many messages are before it."""
        policy: dict[str, object] = (
            {"deliver_policy": "last_per_subject"}
            if start is None
            else {"deliver_policy": "by_start_sequence", "opt_start_seq": start}
        )
        wanted = policy | {
            "deliver_subject": inbox,
            "filter_subject": f"{self._prefix}blackhole.>",
            "ack_policy": "none",
            "max_deliver": 1,
            "flow_control": True,
            "idle_heartbeat": int(LOOK_S * 1e9),
            "mem_storage": True,
            "num_replicas": 1,
        }
        answer = await client.api(
            f"CONSUMER.CREATE.{self._stream}", {"stream_name": self._stream, "config": wanted}, seconds=10.0
        )
        created = msgspec.json.decode(answer, type=_Created)
        if created.error is not None:
            raise NatsFailed(f"JetStream makes no consumer: {created.error.description}")
        return created.num_pending

    async def _scanned(self, client: NatsClient, feed: Feed) -> None:
        """Wait until the scan is complete; silence ends it."""
        silent = 0.0
        while not feed.complete:
            await _pause(client, 0.01)
            silent = 0.0 if feed.heard else silent + 0.01
            feed.heard = False
            if feed.gap or silent > SILENT_LOOKS * LOOK_S:
                raise NatsFailed("the scan was cut short")
        while feed.replaced is not None and feed.replaced.shrink(5_000):
            await _pause(client, 0)
        feed.replaced = None

    def _set_connected(self, *, value: bool) -> None:
        if value is not self.connected:
            self.connected = value
            self._tell(value)


async def _pause(client: NatsClient, seconds: float) -> None:
    """Let time pass; NatsFailed at once when the connection goes."""
    try:
        async with asyncio.timeout(seconds):
            await client.gone.wait()
    except TimeoutError:
        return
    raise NatsFailed("the connection was lost")
