"""Follows the bucket over one connection at a time: looks for it, scans or resumes, keeps an eye on it.

Following ends in one of three ways. The connection is gone or the server is silent: heartbeats of the consumer and
answers about the stream both stop when a server freezes, while its TCP connection stays. The bucket is gone or is
another one. Or entries may have left without a message (see `stream`): then a scan follows on the same connection, for
at most a hundredth of the time. Another scan, rarer still, follows where messages left while others came, which no
figures tell from entries written anew.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from beyond_gateway.deny.entries import DenySet
from beyond_gateway.deny.feed import Feed
from beyond_gateway.deny.nats_client import NatsFailed
from beyond_gateway.deny.stream import NOT_FOUND, ApiError, Drift, StreamInfo, mark, parse_info, resume_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_gateway.deny.nats_client import NatsClient
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
DOUBT_S: Final = 600.0
"""Seconds from a scan to the next that is for doubt alone, or ten times the rest above, whichever is longer."""


class _Created(msgspec.Struct, frozen=True):
    """Answer to CONSUMER.CREATE."""

    num_pending: int = 0
    error: ApiError | None = None


class Follower:
    """Makes `denied` what the bucket holds, and remembers from one connection to the next how far that is."""

    def __init__(self, bucket: str, denied: DenySet, log: Log) -> None:
        self._denied = denied
        self._bucket = bucket
        self._log = log
        self._prefix = f"$KV.{bucket}."
        self._stream = f"KV_{bucket}"
        self._drift: Drift | None = None
        # Added to the monotonic clock: our own time of day may be set while we run, and then it must end no entry.
        self._offset_s = time.time_ns() / 1e9 - time.monotonic()
        self._scanned_at = float("-inf")
        self._missing = 0

    @property
    def resume_point(self) -> Mark | None:
        """State of the stream that the set has taken in; None where only a scan can tell."""
        return self._drift.mark if self._drift is not None else None

    def restore(self, point: Mark | None) -> None:
        """Go on from a snapshot's resume point, with a doubt that a scan will settle in its time."""
        self._drift = Drift(point, doubtful=True) if point is not None else None
        self._scanned_at = time.monotonic()

    def now(self) -> float:
        """Return the store's wall time, as far as it is known."""
        return time.monotonic() + self._offset_s

    async def follow(self, client: NatsClient, reached: Callable[[], None]) -> NoReturn:
        """Follow the bucket, whatever becomes of it, until NatsFailed; calls `reached` when JetStream has answered."""
        while True:
            info = await self._look(client)
            reached()
            if info is None:
                await _pause(client, MISSING_S)
                continue
            await self._follow(client, info)
            await client.unfollow()

    async def _look(self, client: NatsClient) -> StreamInfo | None:
        """State of the stream, or None where there is none, which empties the set at the second look."""
        info = parse_info(await client.api(f"STREAM.INFO.{self._stream}"))
        if info.error is None:
            self._missing = 0
            if info.ts is not None:
                self._offset_s = info.clock_offset(time.monotonic())
            return info
        if info.error.err_code not in NOT_FOUND:
            raise NatsFailed(f"JetStream refused: {info.error.description}")
        self._missing += 1
        if self._missing == 1:
            self._log.warning("bucket of the deny-set is missing", bucket=self._bucket)
        elif self._missing == 2:
            self._drift = None
            self._denied.swap(DenySet())
        return None

    async def _follow(self, client: NatsClient, info: StreamInfo) -> None:
        """Follow one consumer; return where a new one is due."""
        start = resume_at(self.resume_point, info, self._denied.revision)
        feed = Feed(self._denied, self._prefix.encode(), max_age_s=info.max_age_s, scan=start is None)
        inbox = client.new_inbox()
        await client.follow(inbox, feed.message)
        feed.created(await self._consume(client, inbox, start))
        if start is None:
            await self._scanned(client, feed)
            self._scanned_at = time.monotonic()
            self._drift = Drift(mark(info))
        self._log.info(
            "deny-set is followed", entries=len(self._denied), revision=self._denied.revision, scanned=start is None
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
            size = len(self._denied) - max(0, self._denied.revision - seen.state.last_seq)
            if drift.suspects(seen, size, self._denied.unannounced, self._denied.due(self.now())):
                # Until it may be looked into, the mark stays behind and the suspicion with it.
                if self._rested(0.0, REST_PER_ENTRY_S):
                    break
            elif idle or self._denied.revision >= seen.state.last_seq:
                drift.advance(seen)
                if drift.doubtful and self._rested(DOUBT_S, 10 * REST_PER_ENTRY_S):
                    break
        # What is known is not to be resumed from.
        self._drift = None

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

    def _rested(self, least_s: float, per_entry_s: float) -> bool:
        return time.monotonic() - self._scanned_at > max(least_s, per_entry_s * len(self._denied))


async def _pause(client: NatsClient, seconds: float) -> None:
    """Let time pass; NatsFailed at once when the connection goes."""
    try:
        async with asyncio.timeout(seconds):
            await client.gone.wait()
    except TimeoutError:
        return
    raise NatsFailed("the connection was lost")
