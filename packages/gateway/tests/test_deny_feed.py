"""Deliveries of a consumer: the scan's end, the order, gaps, heartbeats, flow control."""

from __future__ import annotations

import pytest

from beyond_gateway.deny.entries import DenySet
from beyond_gateway.deny.feed import Feed

SECOND = 1_000_000_000


def known(*tenants: int, revision: int = 1) -> DenySet:
    """A set that denies these tenants already."""
    denied = DenySet()
    for tenant in tenants:
        denied.spend.add(tenant)
    denied.revision = revision
    return denied


def feed_of(denied: DenySet, *, scan: bool = True, max_age_s: float = 0.0) -> Feed:
    return Feed(denied, b"$KV.b.", max_age_s=max_age_s, scan=scan)


def deliver(  # noqa: PLR0917 - a line of a table reads best so
    feed: Feed,
    key: str,
    revision: int,
    number: int,
    pending: int,
    value: bytes = b"spend",
    headers: dict[str, str] | None = None,
) -> bytes | None:
    reply = f"$JS.ACK.KV_b.c.1.{revision}.{number}.{100 * SECOND}.{pending}"
    return feed.message(f"$KV.b.{key}".encode(), reply.encode(), value, headers)


def heartbeat(feed: Feed, sent: int) -> bytes | None:
    return feed.message(b"_INBOX.x", b"", b"", {"Status": "100", "Nats-Last-Consumer": str(sent)})


def test_the_old_set_is_enforced_until_the_scan_is_complete() -> None:
    """Nothing of a scan shows before its last message; then it is the set, and what it did not find is gone."""
    denied = known(1, 2, revision=900)
    feed = feed_of(denied)
    feed.created(2)
    deliver(feed, "blackhole.2", 11, 1, 1)
    assert (denied.spend, feed.complete) == ({1, 2}, False)
    deliver(feed, "blackhole.3", 12, 2, 0)
    assert (denied.spend, denied.revision, feed.complete) == ({2, 3}, 12, True)
    assert feed.replaced is not None
    assert feed.replaced.spend == {1, 2}


def test_changes_follow_the_scan_without_a_seam() -> None:
    """The same consumer goes on: puts and removals act on the set itself."""
    denied = DenySet()
    feed = feed_of(denied)
    feed.created(1)
    deliver(feed, "blackhole.1", 5, 1, 0)
    deliver(feed, "blackhole.2", 6, 2, 0, b"fraud")
    deliver(feed, "blackhole.1", 7, 3, 0, b"", {"KV-Operation": "DEL"})
    assert (denied.spend, denied.suspended, denied.revision) == (set[int](), {2}, 7)


def test_what_was_written_during_the_scan_is_in_it() -> None:
    """More may be pending than at the start; a removal that comes before the end counts."""
    denied = DenySet()
    feed = feed_of(denied)
    feed.created(3)
    deliver(feed, "blackhole.1", 5, 1, 3)
    deliver(feed, "blackhole.2", 6, 2, 2)
    deliver(feed, "blackhole.1", 8, 3, 1, b"", {"KV-Operation": "PURGE"})
    assert feed.complete
    deliver(feed, "blackhole.4", 9, 4, 0)
    assert denied.spend == {2, 4}


def test_an_empty_bucket_is_complete_at_once() -> None:
    """Where nothing is pending the set is empty, and the first entry ever written is seen."""
    denied = known(1)
    feed = feed_of(denied)
    feed.created(0)
    assert (feed.complete, denied.spend) == (True, set[int]())
    deliver(feed, "blackhole.9", 1, 1, 0)
    assert denied.spend == {9}


def test_deliveries_before_the_answer_count() -> None:
    """The consumer may deliver before we learn that it was made, and how much it has."""
    denied = DenySet()
    feed = feed_of(denied)
    deliver(feed, "blackhole.1", 1, 1, 2)
    deliver(feed, "blackhole.2", 2, 2, 1)
    assert not feed.complete
    feed.created(2)
    assert (feed.complete, denied.spend) == (True, {1, 2})


def test_entries_that_vanish_during_the_scan_do_not_hold_it_up() -> None:
    """A message that says nothing is behind it, or a heartbeat of an idle consumer, ends a scan as well."""
    first, second = DenySet(), DenySet()
    by_message, by_heartbeat = feed_of(first), feed_of(second)
    for feed in (by_message, by_heartbeat):
        feed.created(10)
    deliver(by_message, "blackhole.1", 1, 1, 0)
    deliver(by_heartbeat, "blackhole.1", 1, 1, 4)
    assert not by_heartbeat.complete
    heartbeat(by_heartbeat, 1)
    assert (first.spend, second.spend, by_heartbeat.complete) == ({1}, {1}, True)


@pytest.mark.parametrize("number", [1, 3, 4])
def test_a_count_out_of_order_is_a_gap(number: int) -> None:
    """A repeated or skipped delivery ends the feed's use: it takes nothing more and completes nothing."""
    denied = known(7)
    feed = feed_of(denied)
    feed.created(2)
    deliver(feed, "blackhole.1", 1, 1, 1)
    deliver(feed, "blackhole.2", 2, number, 0)
    assert feed.gap
    deliver(feed, "blackhole.3", 3, 2, 0)
    heartbeat(feed, 1)
    assert (feed.complete, denied.spend) == (False, {7})


def test_a_heartbeat_tells_of_a_lost_last_delivery() -> None:
    """What the consumer has sent and what came must be the same number."""
    denied = DenySet()
    feed = feed_of(denied, scan=False)
    deliver(feed, "blackhole.1", 1, 1, 0)
    heartbeat(feed, 1)
    assert (feed.gap, feed.idle) == (False, True)
    heartbeat(feed, 2)
    assert feed.gap


def test_what_is_no_delivery_is_a_gap() -> None:
    """A subject that cannot be read means that order cannot be proved."""
    feed = feed_of(DenySet(), scan=False)
    feed.message(b"$KV.b.blackhole.1", b"$JS.ACK.nonsense", b"spend", None)
    assert feed.gap


def test_flow_control_is_answered() -> None:
    """A request names the subject to answer; a stalled consumer names it in a heartbeat, which ends no scan."""
    feed = feed_of(DenySet())
    feed.created(5)
    assert feed.message(b"_INBOX.x", b"$JS.FC.KV_b.c.x", b"", {"Status": "100"}) == b"$JS.FC.KV_b.c.x"
    stalled = {"Status": "100", "Nats-Last-Consumer": "0", "Nats-Consumer-Stalled": "$JS.FC.KV_b.c.y"}
    assert feed.message(b"_INBOX.x", b"", b"", stalled) == b"$JS.FC.KV_b.c.y"
    assert (feed.gap, feed.complete) == (False, False)
    assert deliver(feed, "blackhole.1", 1, 1, 4) is None
    assert feed.heard


def test_a_resumed_feed_acts_on_the_set_itself() -> None:
    """Behind what is known, changes apply at once and nothing is replaced."""
    denied = known(1, revision=10)
    feed = feed_of(denied, scan=False)
    feed.created(1)
    deliver(feed, "blackhole.2", 11, 1, 0)
    assert (denied.spend, feed.complete, feed.replaced) == ({1, 2}, True, None)


@pytest.mark.parametrize(
    ("headers", "max_age_s", "end"),
    [({"Nats-TTL": "5s"}, 0.0, 105), (None, 30.0, 130), ({"Nats-TTL": "5s"}, 30.0, 105), ({"X": "y"}, 0.0, None)],
)
def test_ends_are_kept_from_when_it_was_written(
    headers: dict[str, str] | None, max_age_s: float, end: int | None
) -> None:
    """A TTL of the message or of the bucket becomes a deadline in the store's time."""
    denied = DenySet()
    feed = feed_of(denied, scan=False, max_age_s=max_age_s)
    deliver(feed, "blackhole.1", 1, 1, 0, headers=headers)
    assert denied.spend == {1}
    assert denied.deadlines.get(1) == end


def test_a_marker_of_the_store_ends_an_entry() -> None:
    """The store's own marker, which has a TTL itself, removes and denies nothing."""
    denied = known(1)
    feed = feed_of(denied, scan=False, max_age_s=9.0)
    deliver(feed, "blackhole.1", 2, 1, 0, b"", {"Nats-Marker-Reason": "MaxAge", "Nats-TTL": "1m0s"})
    assert (len(denied), denied.unannounced) == (0, 1)


def test_the_repr_has_counts_only() -> None:
    """No key or tenant is shown."""
    feed = feed_of(DenySet())
    deliver(feed, "blackhole.123456", 5, 1, 3)
    assert "123456" not in repr(feed)
    assert "delivered=1" in repr(feed)
