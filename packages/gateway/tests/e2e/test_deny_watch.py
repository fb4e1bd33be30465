"""The deny-set follows a real nats-server through everything that happens to servers, and never waits for one."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from deny_store import config, store, until, watching
from nats_server import NatsServer, serving

from beyond_gateway.deny import backoff, feed, follow, nats_client, stream, watch
from beyond_gateway.deny.snapshot_format import decode
from beyond_gateway.errors import OVER_LIMIT
from beyond_gateway.managed_key import Identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let waits be short: what they are worth is a matter of figures, which `test_deny_backoff` looks at."""
    monkeypatch.setattr(backoff, "FIRST_S", 0.1)
    monkeypatch.setattr(backoff, "LONGEST_S", 0.4)
    monkeypatch.setattr(follow, "LOOK_S", 0.3)
    monkeypatch.setattr(follow, "MISSING_S", 0.1)
    monkeypatch.setattr(watch, "TICK_S", 0.05)


@pytest.fixture
def server() -> Iterator[NatsServer]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def shared() -> Iterator[NatsServer]:
    """One server for tests that leave it alone, each with a bucket of its own."""
    with serving() as running:
        yield running


def test_a_change_is_enforced_within_a_second(shared: NatsServer) -> None:
    """Puts, changes, deletes and purges arrive as they are written, in milliseconds."""

    async def scenario() -> None:
        async with store(shared.url, "quick") as bucket, watching(config(shared.url, "quick")) as at:
            await until(at.follows, "the watch")
            await bucket.put(7)
            took = await until(lambda: at.contents == ({7}, set()), "the entry")
            assert at.denied.refusal(Identity(1, 7, 1, None)) is OVER_LIMIT
            await bucket.put(~8, b"fraud")
            took += await until(lambda: at.contents == ({7}, {~8}), "the key id")
            await bucket.put(7, b"{}")
            took += await until(lambda: at.contents == (set(), {7, ~8}), "the change")
            await bucket.delete(7)
            took += await until(lambda: at.contents == (set(), {~8}), "the delete")
            await bucket.kv.purge("blackhole.key.8")
            took += await until(lambda: at.contents == (set(), set()), "the purge")
            await bucket.kv.put("limits.7", b"1")
            await bucket.put(9)
            took += await until(lambda: at.contents == ({9}, set()), "the entry behind another key")
            assert took < 1.0

    asyncio.run(scenario())


def test_an_empty_bucket_is_no_resume_point(shared: NatsServer) -> None:
    """The first entry ever written is seen, by a watch that found nothing."""

    async def scenario() -> None:
        async with store(shared.url, "empty") as bucket, watching(config(shared.url, "empty")) as at:
            await until(at.follows, "the watch")
            assert len(at.denied) == 0
            await bucket.put(1)
            await until(lambda: at.contents == ({1}, set()), "the first entry")

    asyncio.run(scenario())


def test_a_bucket_made_later_is_noticed(shared: NatsServer) -> None:
    """Without a bucket the watch looks on; with the bucket comes its first entry."""

    async def scenario() -> None:
        async with (
            store(shared.url, "later", create=False) as bucket,
            watching(config(shared.url, "later")) as at,
        ):
            await until(lambda: at.log.fields("bucket of the deny-set is missing"), "the warning")
            await asyncio.sleep(0.3)
            assert (at.connected, len(at.log.fields("bucket of the deny-set is missing"))) == ([True], 1)
            await bucket.create()
            await bucket.put(5)
            await until(lambda: at.contents == ({5}, set()), "the entry")

    asyncio.run(scenario())


def test_nothing_written_between_scan_and_watch_is_lost(shared: NatsServer) -> None:
    """A writer that goes on through ten starts of a watch: each watch ends with all that was written."""

    async def scenario() -> None:
        async with store(shared.url, "busy") as bucket:
            written = 0
            stop = asyncio.Event()

            async def write() -> None:
                nonlocal written
                while not stop.is_set():
                    await bucket.put(written)
                    written += 1

            writing = asyncio.ensure_future(write())
            for _ in range(10):
                async with watching(config(shared.url, "busy")) as at:
                    await until(at.follows, "the watch")
                    goal = written + 20
                    await until(lambda at=at, goal=goal: at.denied.spend >= set(range(goal)), "all that was written")
            stop.set()
            await writing

    asyncio.run(scenario())


def test_nats_away_at_boot_denies_nobody(server: NatsServer) -> None:
    """Without server and snapshot the set is empty; it is filled when the server comes."""

    async def scenario() -> None:
        async with store(server.url) as bucket:
            await bucket.put(3)
        server.kill()
        async with watching(config(server.url)) as at:
            await until(lambda: at.log.fields("deny-set is not followed"), "a first try")
            assert (len(at.denied), at.connected) == (0, [])
            server.start()
            await until(lambda: at.contents == ({3}, set()), "the entry")
            assert at.connected == [True]

    asyncio.run(scenario())


def test_a_killed_server_leaves_the_last_set(server: NatsServer) -> None:
    """While it is away what was denied stays denied; when it is back the watch resumes and changes arrive again."""

    async def scenario() -> None:
        async with watching(config(server.url)) as at:
            async with store(server.url) as bucket:
                await bucket.put(1)
                await bucket.put(2, b"fraud")
                await until(lambda: at.contents == ({1}, {2}), "the entries")
                await asyncio.sleep(1.0)  # so that a look at the stream has confirmed them
            server.kill()
            await until(lambda: at.connected[-1] is False, "the loss")
            tries = len(at.log.fields("deny-set is not followed"))
            await until(lambda: len(at.log.fields("deny-set is not followed")) >= tries + 2, "more tries")
            assert at.contents == ({1}, {2})
            server.start()
            begun = len(at.scanned())
            await until(lambda: len(at.scanned()) > begun, "the watch")
            assert (at.contents, at.scanned()[-1], at.connected[-1]) == (({1}, {2}), False, True)
            async with store(server.url) as bucket:
                await bucket.put(3)
                await bucket.delete(1)
                await until(lambda: at.contents == ({3}, {2}), "the changes")

    asyncio.run(scenario())


@pytest.mark.parametrize("recreated", [True, False])
def test_a_wiped_store_ends_what_it_had(server: NatsServer, *, recreated: bool) -> None:
    """What the store has lost is denied no more, whether the bucket is made again or not; new entries are seen."""

    async def scenario() -> None:
        async with watching(config(server.url)) as at:
            async with store(server.url) as bucket:
                for number in range(5):
                    await bucket.put(number)
                await until(lambda: len(at.denied) == 5, "the entries")
            server.kill()
            await until(lambda: at.connected[-1] is False, "the loss")
            server.wipe()
            server.start()
            if recreated:
                async with store(server.url) as bucket:
                    await bucket.put(77)
                    await until(lambda: at.contents == ({77}, set()), "the new entry alone")
            else:
                await until(lambda: len(at.denied) == 0, "the empty set")

    asyncio.run(scenario())


def test_a_dropped_and_recreated_bucket_is_another_one(shared: NatsServer) -> None:
    """On a connection that stays, a bucket of the same name is scanned anew, however low its revisions."""

    async def scenario() -> None:
        async with store(shared.url, "again") as bucket, watching(config(shared.url, "again")) as at:
            for number in range(5):
                await bucket.put(number)
            await until(lambda: len(at.denied) == 5, "the entries")
            await bucket.drop()
            await bucket.create()
            await bucket.put(9)
            await until(lambda: at.contents == ({9}, set()), "the new bucket's entry alone")
            await bucket.put(10)
            await until(lambda: at.contents == ({9, 10}, set()), "its second entry")
            assert at.connected == [True]

    asyncio.run(scenario())


def test_a_frozen_server_is_noticed(server: NatsServer) -> None:
    """A server that stops without closing counts as lost; the set stays, and the watch goes on when it thaws."""

    async def scenario() -> None:
        async with store(server.url) as bucket, watching(config(server.url)) as at:
            await bucket.put(1)
            await until(lambda: at.contents == ({1}, set()), "the entry")
            server.freeze()
            await until(lambda: at.connected[-1] is False, "the loss")
            assert at.contents == ({1}, set())
            server.thaw()
            await until(lambda: at.connected[-1] is True, "the return")
            await bucket.put(2)
            await until(lambda: at.contents == ({1, 2}, set()), "the new entry")

    asyncio.run(scenario())


def test_a_consumer_that_is_gone_is_noticed(shared: NatsServer) -> None:
    """A connection that stays without a consumer delivers nothing: it is given up, and no change is lost."""

    async def scenario() -> None:
        async with store(shared.url, "gone") as bucket, watching(config(shared.url, "gone")) as at:
            await bucket.put(1)
            await until(lambda: at.contents == ({1}, set()), "the entry")
            for consumer in await bucket.js.consumers_info("KV_gone"):
                await bucket.js.delete_consumer("KV_gone", consumer.name)
            await bucket.put(2)
            await until(lambda: at.contents == ({1, 2}, set()), "the entry written without a consumer")

    asyncio.run(scenario())


def test_what_was_compacted_while_away_is_scanned(shared: NatsServer, tmp_path: Path) -> None:
    """A delete whose marker is gone when the watch is back cannot be delivered: a scan finds that the entry is gone."""

    async def scenario() -> None:
        settings = config(shared.url, "compacted", tmp_path / "s")
        async with store(shared.url, "compacted") as bucket:
            for number in range(4):
                await bucket.put(number)
            async with watching(settings) as at:
                await until(lambda: at.contents == ({0, 1, 2, 3}, set()), "the entries")
                await until(at.follows, "the watch")
            await bucket.delete(2)
            await bucket.kv.purge_deletes(olderthan=-1)
            await bucket.put(8)
            async with watching(settings) as at:
                assert at.contents == ({0, 1, 2, 3}, set())
                await until(at.follows, "the watch")
                assert (at.contents, at.scanned()) == (({0, 1, 3, 8}, set()), [True])

    asyncio.run(scenario())


def test_where_nothing_was_removed_the_watch_resumes(shared: NatsServer, tmp_path: Path) -> None:
    """Only what came since is asked for, and it is all there."""

    async def scenario() -> None:
        settings = config(shared.url, "resumed", tmp_path / "s")
        async with store(shared.url, "resumed") as bucket:
            await bucket.put(1)
            async with watching(settings) as at:
                await until(at.follows, "the watch")
            await bucket.put(2, b"fraud")
            await bucket.put(~3)
            async with watching(settings) as at:
                assert at.contents == ({1}, set())
                await until(lambda: at.contents == ({1, ~3}, {2}), "what came since")
                await until(at.follows, "the watch")
                assert at.scanned() == [False]

    asyncio.run(scenario())


def test_a_purge_of_the_stream_is_noticed(shared: NatsServer) -> None:
    """Messages removed without a word, some or all, end their entries within a few looks."""

    async def scenario() -> None:
        async with store(shared.url, "purged") as bucket, watching(config(shared.url, "purged")) as at:
            for number in range(6):
                await bucket.put(number)
            await until(lambda: len(at.denied) == 6, "the entries")
            await bucket.js.purge_stream("KV_purged", subject="$KV.purged.blackhole.4")
            await until(lambda: at.contents == ({0, 1, 2, 3, 5}, set()), "one entry fewer")
            await bucket.wipe()
            await until(lambda: len(at.denied) == 0, "the empty set")

    asyncio.run(scenario())


@pytest.mark.parametrize("marker", [True, False])
def test_a_ttl_ends_an_entry(shared: NatsServer, *, marker: bool) -> None:
    """Access returns when an entry's time is over, whether or not the store says so; without TTL it stays."""

    async def scenario() -> None:
        name = f"ttl-{marker}"
        async with store(shared.url, name, create=False) as bucket, watching(config(shared.url, name)) as at:
            more = {"subject_delete_marker_ttl": 60.0} if marker else {}
            await bucket.js.add_stream(
                name=bucket.stream,
                subjects=[f"$KV.{name}.>"],
                max_msgs_per_subject=1,
                allow_msg_ttl=True,
                allow_rollup_hdrs=True,
                **more,
            )
            bucket.kv = await bucket.js.key_value(name)
            await bucket.put(1, ttl_s=1)
            await bucket.put(2)
            await until(lambda: at.contents == ({1, 2}, set()), "the entries")
            took = await until(lambda: at.contents == ({2}, set()), "the end of one")
            assert took < 3.5
            assert at.scanned() == [True]

    asyncio.run(scenario())


def test_a_bucket_s_own_age_limit_ends_entries(shared: NatsServer) -> None:
    """An age limit of the whole bucket counts as well, without a marker."""

    async def scenario() -> None:
        async with store(shared.url, "aged", ttl=1.0) as bucket, watching(config(shared.url, "aged")) as at:
            await until(at.follows, "the watch")
            await bucket.put(1)
            await until(lambda: at.contents == ({1}, set()), "the entry")
            assert await until(lambda: len(at.denied) == 0, "its end") < 3.0

    asyncio.run(scenario())


def test_what_history_brings_back_is_denied_again(shared: NatsServer) -> None:
    """In a bucket that keeps old values, the end of the newest leaves the one before in force."""

    async def scenario() -> None:
        async with store(shared.url, "old", create=False) as bucket, watching(config(shared.url, "old")) as at:
            await bucket.js.add_stream(
                name=bucket.stream, subjects=["$KV.old.>"], max_msgs_per_subject=3, allow_msg_ttl=True
            )
            bucket.kv = await bucket.js.key_value("old")
            await bucket.put(1)
            await bucket.put(1, b"fraud", ttl_s=1)
            await until(lambda: at.contents == (set(), {1}), "the newer value")
            await until(lambda: at.contents == ({1}, set()), "the older value")

    asyncio.run(scenario())


def test_a_snapshot_is_enforced_before_nats_answers(server: NatsServer, tmp_path: Path) -> None:
    """Made before serving, the watch denies what the last run knew; a server that never answers changes nothing."""

    async def scenario() -> None:
        settings = config(server.url, snapshot=tmp_path / "s")
        async with store(server.url) as bucket, watching(settings) as at:
            await bucket.put(1)
            await bucket.put(~2, b"fraud")
            await until(lambda: at.contents == ({1}, {~2}), "the entries")
        server.kill()
        made = watch.DenyWatch(settings, at.log, connected=at.connected.append)  # pyright: ignore[reportArgumentType] - takes lines
        assert (made.denied.spend, made.denied.suspended) == ({1}, {~2})
        async with watching(settings) as again:
            await until(lambda: again.log.fields("deny-set is not followed"), "a first try")
            assert again.contents == ({1}, {~2})

    asyncio.run(scenario())


def test_a_torn_snapshot_is_a_warning_and_a_scan(shared: NatsServer, tmp_path: Path) -> None:
    """Half a file is worth nothing; the store's state comes by a scan, and the file is whole again."""

    async def scenario() -> None:
        path = tmp_path / "s"
        settings = config(shared.url, "torn", path)
        async with store(shared.url, "torn") as bucket:
            await bucket.put(1)
            async with watching(settings) as at:
                await until(at.follows, "the watch")
            path.write_bytes(path.read_bytes()[:-3])
            async with watching(settings) as at:
                assert at.log.fields("snapshot is not used")[0]["reason"] == "it is torn or corrupt"
                await until(at.follows, "the watch")
                assert (at.contents, at.scanned()) == (({1}, set()), [True])
            assert decode(path.read_bytes(), "torn")[0].spend == {1}

    asyncio.run(scenario())


def test_another_client_s_way_of_handing_out_is_as_right(shared: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nats-py does not call the point we take messages off at, they come by its callbacks."""
    monkeypatch.delattr(nats_client.NatsClient, "_process_msg")

    async def scenario() -> None:
        async with store(shared.url, "slow") as bucket, watching(config(shared.url, "slow")) as at:
            for number in range(50):
                await bucket.put(number)
            await bucket.delete(3)
            await until(lambda: at.denied.spend == set(range(50)) - {3}, "the entries")
            await until(lambda: at.follows() and at.watch.connected, "the watch")

    asyncio.run(scenario())


def test_a_fault_of_the_watch_does_not_end_it(shared: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail-open goes as far as our own mistakes: they are told, and it is tried again."""
    real, faults = stream.parse_info, [ZeroDivisionError()]

    def parse(answer: bytes) -> Any:
        if faults:
            raise faults.pop()
        return real(answer)

    monkeypatch.setattr(follow, "parse_info", parse)

    async def scenario() -> None:
        async with store(shared.url, "fault") as bucket, watching(config(shared.url, "fault")) as at:
            await bucket.put(1)
            await until(lambda: at.contents == ({1}, set()), "the entry")
            assert at.log.fields("deny-set is not followed")[0]["reason"] == "fault in the watch: ZeroDivisionError"

    asyncio.run(scenario())


def test_a_large_set_is_scanned_in_turns(shared: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flow control is answered, so that more than its window comes; the loop gets its turn after every few hundred."""
    count = 60_000
    taken = 0
    take = feed.Feed.message

    def counted(*delivery: Any) -> bytes | None:
        nonlocal taken
        taken += 1
        return take(*delivery)

    monkeypatch.setattr(feed.Feed, "message", counted)

    async def scenario() -> None:
        async with store(shared.url, "large") as bucket:
            for number in range(count):
                await bucket.connection.publish(f"$KV.large.blackhole.{number}", b"spend")
            await bucket.connection.flush(60)
            while (await bucket.js.stream_info("KV_large")).state.messages < count:  # noqa: ASYNC110 - the server's
                await asyncio.sleep(0.05)
            most_in_a_turn = 0

            async def turn() -> None:
                nonlocal most_in_a_turn
                while True:
                    before = taken
                    await asyncio.sleep(0)
                    most_in_a_turn = max(most_in_a_turn, taken - before)

            async with watching(config(shared.url, "large")) as at:
                turning = asyncio.ensure_future(turn())
                await until(at.follows, "the scan", 60)
                turning.cancel()
                assert len(at.denied) == count
                assert 0 < most_in_a_turn <= nats_client.TURN

    asyncio.run(scenario())


def test_a_server_without_jetstream_is_reported() -> None:
    """What is wrong is in the log, in words, and the gateway serves on."""

    async def scenario(url: str) -> None:
        async with watching(config(url)) as at:
            await until(lambda: at.log.fields("deny-set is not followed"), "the report")
            assert "JetStream is not enabled" in at.log.fields("deny-set is not followed")[0]["reason"]

    with serving(jetstream=False) as bare:
        asyncio.run(scenario(bare.url))


def test_no_password_reaches_the_log(server: NatsServer) -> None:
    """A URL with a password that is refused is told without it."""
    server.kill()

    async def scenario() -> None:
        url = f"nats://someone:S3CR3T@127.0.0.1:{server.port}"
        async with watching(config(url)) as at:
            await until(lambda: at.log.fields("deny-set is not followed"), "the report")
            assert "S3CR3T" not in repr(at.log.lines)
            assert "S3CR3T" not in repr(at.watch)

    asyncio.run(scenario())


def test_a_look_at_the_set_never_waits(server: NatsServer) -> None:
    """With a frozen server a request's look takes what it always takes."""

    async def scenario() -> None:
        async with watching(config(server.url)) as at:
            await until(lambda: at.connected == [True], "the connection")
            server.freeze()
            began = time.monotonic()
            for number in range(10_000):
                assert at.denied.refusal(Identity(1, number, 1, number)) is None
            assert time.monotonic() - began < 1.0

    asyncio.run(scenario())
