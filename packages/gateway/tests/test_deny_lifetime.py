"""What NATS says beside a message: its place, whether it is an end, and when it ends."""

from __future__ import annotations

import pytest

from beyond_gateway.deny.lifetime import ends_at, is_removal, parse_ttl, place


@pytest.mark.parametrize(
    "reply",
    [
        b"$JS.ACK.KV_b.c.1.50.7.1700000000123456789.3",
        b"$JS.ACK.hub.ABC.KV_b.c.1.50.7.1700000000123456789.3.rand",
        b"$JS.ACK._.ABC.KV_b.c.1.50.7.1700000000123456789.3",
    ],
)
def test_both_forms_of_reply_subject_are_read(reply: bytes) -> None:
    """With or without domain and account the same four numbers come out."""
    assert place(reply) == (50, 7, 1700000000123456789, 3)


@pytest.mark.parametrize("reply", [b"", b"_INBOX.x", b"$JS.ACK.KV_b.c.1.x.7.17.3"])
def test_other_subjects_are_refused(reply: bytes) -> None:
    """What is no delivery raises ValueError, which the feed counts as a gap."""
    with pytest.raises(ValueError, match=r"unpack|invalid literal"):
        place(reply)


@pytest.mark.parametrize(
    ("headers", "removal"),
    [
        ({"KV-Operation": "DEL"}, True),
        ({"KV-Operation": "PURGE", "Nats-Rollup": "sub"}, True),
        ({"Nats-Marker-Reason": "MaxAge", "Nats-TTL": "1m0s"}, True),
        ({"KV-Operation": "PUT"}, False),
        ({"Nats-TTL": "2s"}, False),
        ({}, False),
    ],
)
def test_removals_are_recognised(headers: dict[str, str], *, removal: bool) -> None:
    """Deletes, purges and the store's own markers end an entry; nothing else does."""
    assert is_removal(headers) is removal


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2s", 2.0),
        ("1m0s", 60.0),
        ("1h30m", 5400.0),
        ("1h0m0.5s", 3600.5),
        ("250ms", 0.25),
        ("1µs", 1e-6),
        ("90", 90.0),
        ("never", None),
        ("", None),
        ("s", None),
        ("2x", None),
        ("2s!", None),
        ("-2s", None),
        ("٣", None),
    ],
)
def test_ttl_headers_are_read(text: str, seconds: float | None) -> None:
    """Go's durations and plain seconds; anything else is no TTL."""
    assert parse_ttl(text) == seconds


@pytest.mark.parametrize(
    ("headers", "max_age_s", "end"),
    [
        ({}, 0.0, None),
        ({}, 60.0, 160.0),
        ({"Nats-TTL": "5s"}, 0.0, 105.0),
        ({"Nats-TTL": "5s"}, 60.0, 105.0),
        ({"Nats-TTL": "90s"}, 60.0, 160.0),
        ({"Nats-TTL": "never"}, 60.0, None),
        ({"Nats-TTL": "never"}, 0.0, None),
        ({"Nats-TTL": "?"}, 60.0, 160.0),
    ],
)
def test_an_end_is_the_shorter_of_both_limits(headers: dict[str, str], max_age_s: float, end: float | None) -> None:
    """A message's TTL and the bucket's age limit both count from when it was written; `never` lifts the latter."""
    assert ends_at(headers, 100_000_000_000, max_age_s) == end
