"""The deny-set: who is refused and how, which keys count, when entries end, what a repeated revision does."""

from __future__ import annotations

import tracemalloc
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_gateway.deny.entries import DenySet, key_of, parse_key, parse_reason
from beyond_gateway.errors import OVER_LIMIT, SUSPENDED, Refusal
from beyond_gateway.managed_key import Identity

MOST = 2**64 - 1


def refused(denied: DenySet, tenant: int, key_id: int | None = None) -> Refusal | None:
    return denied.refusal(Identity(1, tenant, 1, key_id))


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        (b"spend", OVER_LIMIT),
        (b"fraud", SUSPENDED),
        (b'{"reason":"spend"}', OVER_LIMIT),
        (b' {"by":"ops", "reason": "spend", "n": [1]} ', OVER_LIMIT),
        (b'{"reason":"fraud"}', SUSPENDED),
        (b'{"reason":"late"}', SUSPENDED),
        (b'{"reason":1}', SUSPENDED),
        (b'{"reason":null}', SUSPENDED),
        (b"{}", SUSPENDED),
        (b"[]", SUSPENDED),
        (b'"spend"', SUSPENDED),
        (b"Spend", SUSPENDED),
        (b"spend ", SUSPENDED),
        (b"", SUSPENDED),
        (b"\xff\xfe", SUSPENDED),
        (b'{"reason":"\xff"}', SUSPENDED),
    ],
)
def test_every_value_denies(value: bytes, refusal: Refusal) -> None:
    """Spend is 402, in either spelling; whatever else stands there, readable or not, is 403."""
    denied = DenySet()
    denied.apply(b"blackhole.7", value, 1)
    assert refused(denied, 7) is refusal
    assert refused(denied, 8) is None


@pytest.mark.parametrize(
    "key",
    [
        b"blackhole.",
        b"blackhole.07",
        b"blackhole.00",
        b"blackhole.+7",
        b"blackhole.-7",
        b"blackhole. 7",
        b"blackhole.7 ",
        b"blackhole.7\n",
        b"blackhole.7_0",
        b"blackhole.\xd9\xa7",
        b"blackhole.18446744073709551616",
        b"blackhole.100000000000000000000",
        b"blackhole.7.8",
        b"blackhole.key",
        b"blackhole.key.",
        b"blackhole.key.07",
        b"blackhole.key.18446744073709551616",
        b"blackhole.tenant.7",
        b"Blackhole.7",
        b"whitehole.7",
        b"7",
        b"",
    ],
)
def test_other_keys_are_ignored(key: bytes) -> None:
    """A key that does not spell a number in its one way is no entry, in being put and in being removed."""
    denied = DenySet()
    denied.apply(b"blackhole.7", b"spend", 1)
    denied.apply(key, b"fraud", 2)
    denied.remove(key, 3)
    assert (len(denied), denied.revision) == (1, 3)
    assert refused(denied, 7) is OVER_LIMIT


@pytest.mark.parametrize("number", [0, 1, 9, 2**32, MOST])
def test_tenants_and_key_ids_are_told_apart(number: int) -> None:
    """The same number denies a tenant or a key id, never the other one."""
    tenants, keys = DenySet(), DenySet()
    tenants.apply(b"blackhole.%d" % number, b"spend", 1)
    keys.apply(b"blackhole.key.%d" % number, b"spend", 1)
    assert refused(tenants, number) is OVER_LIMIT
    assert refused(tenants, 5, number) is None
    assert refused(keys, 5, number) is OVER_LIMIT
    assert refused(keys, number) is None
    assert refused(keys, number, 5) is None


@pytest.mark.parametrize(
    ("tenant", "key", "refusal"),
    [
        (None, None, None),
        ("spend", None, OVER_LIMIT),
        (None, "spend", OVER_LIMIT),
        ("spend", "spend", OVER_LIMIT),
        ("fraud", None, SUSPENDED),
        (None, "fraud", SUSPENDED),
        ("spend", "fraud", SUSPENDED),
        ("fraud", "spend", SUSPENDED),
    ],
)
def test_tenant_and_key_both_count(tenant: str | None, key: str | None, refusal: Refusal | None) -> None:
    """A version 2 key is refused for its tenant or for itself; a suspension outweighs a limit."""
    denied = DenySet()
    if tenant:
        denied.apply(b"blackhole.3", tenant.encode(), 1)
    if key:
        denied.apply(b"blackhole.key.4", key.encode(), 2)
    assert refused(denied, 3, 4) is refusal


def test_a_later_write_takes_the_place_of_an_earlier_one() -> None:
    """Reason and end are those of the last write."""
    denied = DenySet()
    denied.apply(b"blackhole.7", b"fraud", 1, 100.0)
    denied.apply(b"blackhole.7", b"spend", 2)
    assert refused(denied, 7) is OVER_LIMIT
    assert denied.expire(1e9) == 0
    denied.apply(b"blackhole.7", b"fraud", 3)
    assert refused(denied, 7) is SUSPENDED
    assert len(denied) == 1


def test_a_revision_already_seen_does_nothing() -> None:
    """Deliveries may come twice; only what is new counts, in either direction."""
    denied = DenySet()
    denied.apply(b"blackhole.7", b"spend", 5)
    denied.remove(b"blackhole.7", 5)
    denied.remove(b"blackhole.7", 4)
    denied.apply(b"blackhole.8", b"spend", 5)
    assert (refused(denied, 7), refused(denied, 8), denied.revision) == (OVER_LIMIT, None, 5)
    denied.remove(b"blackhole.7", 6)
    assert refused(denied, 7) is None


def test_an_entry_ends_with_its_second_and_not_before() -> None:
    """A deadline within a second is rounded up: the store drops the entry first."""
    denied = DenySet()
    denied.apply(b"blackhole.7", b"spend", 1, 10.2)
    denied.apply(b"blackhole.8", b"spend", 2, 11.0)
    denied.apply(b"blackhole.9", b"spend", 3, 12.0)
    assert denied.expire(10.9) == 0
    assert denied.expire(11.0) == 2
    assert (refused(denied, 7), refused(denied, 8), refused(denied, 9)) == (None, None, OVER_LIMIT)
    assert denied.expire(50.0) == 1
    assert (len(denied), denied.deadlines) == (0, {})


def test_what_the_store_drops_without_a_word_is_counted() -> None:
    """Entries that ended by their time and markers that will; a scan brings its own count."""
    denied, scan = DenySet(), DenySet()
    denied.apply(b"blackhole.7", b"spend", 1, 10.0)
    denied.apply(b"blackhole.8", b"spend", 2, 12.0)
    denied.apply(b"blackhole.9", b"spend", 3, 20.0)
    assert (denied.due(9.9), denied.due(10.0), denied.due(13.0)) == (1, 2, 0)
    denied.expire(12.0)
    denied.remove(b"blackhole.9", 4)
    assert denied.unannounced == 2
    denied.remove(b"blackhole.9", 5, passing=True)
    assert denied.unannounced == 3
    denied.swap(scan)
    assert denied.unannounced == 0


def test_an_entry_written_again_and_again_piles_nothing_up() -> None:
    """The memory of deadlines follows the entries, not the writes."""
    denied = DenySet()
    tracemalloc.start()
    for revision in range(1, 5000):
        denied.apply(b"blackhole.7", b"spend", revision, float(revision))
    assert tracemalloc.get_traced_memory()[0] < 20_000
    tracemalloc.stop()
    assert denied.expire(4998.0) == 0
    assert denied.expire(4999.0) == 1


def test_a_scan_takes_the_place_of_the_set_at_once() -> None:
    """After the swap the set is what the scan found, its revision and deadlines too, however low."""
    denied, scan = DenySet(), DenySet()
    denied.apply(b"blackhole.7", b"spend", 90, 5.0)
    scan.apply(b"blackhole.8", b"fraud", 3, 20.0)
    denied.swap(scan)
    assert (refused(denied, 7), refused(denied, 8), denied.revision) == (None, SUSPENDED, 3)
    assert (len(scan), denied.expire(10.0), denied.expire(20.0)) == (1, 0, 1)


def test_a_set_no_longer_used_is_freed_in_steps() -> None:
    """Each step drops so many of either kind and says whether there is more."""
    denied = DenySet()
    for number in range(5):
        denied.apply(b"blackhole.%d" % number, b"spend", number + 1)
    assert [denied.shrink(2), denied.shrink(2), denied.shrink(2)] == [True, True, False]


def test_the_repr_has_counts_only() -> None:
    """Who is denied is nobody's business in a log."""
    denied = DenySet()
    denied.apply(b"blackhole.123456", b"spend", 4, 9.0)
    denied.apply(b"blackhole.key.987654", b"fraud", 5)
    assert repr(denied) == "<DenySet spend=1 suspended=1 expiring=1 revision=5>"


@given(st.integers(0, MOST), st.booleans())
def test_keys_and_entries_are_inverse(number: int, is_key_id: bool) -> None:  # noqa: FBT001 - hypothesis passes it
    """Every number has one key and comes back from it."""
    entry = ~number if is_key_id else number
    assert parse_key(key_of(entry).encode()) == entry


@pytest.mark.parametrize(
    ("value", "reason"), [(b"spend", "spend"), (b"fraud", "fraud"), (b'{"reason":"x"}', "x"), (b"x", None), (b"", None)]
)
def test_the_reason_is_read_for_people(value: bytes, reason: str | None) -> None:
    """A list shows the text that a JSON value has, and nothing for what cannot be read."""
    assert parse_reason(value) == reason


CHANGES = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from([b"spend", b"fraud", b"", None]), st.integers(0, 30) | st.none()),
    max_size=40,
)


@given(CHANGES, st.integers(0, 30))
def test_any_changes_end_in_what_was_written_last(
    changes: list[tuple[int, bytes | None, int | None]], now: int
) -> None:
    """After any puts, removals and ends, the set is the plain map of last writes without what is over."""
    denied, plain = DenySet(), dict[int, tuple[bytes, int | None]]()
    for (number, value, end), revision in zip(changes, count(1), strict=False):
        key = b"blackhole.%d" % number
        if value is None:
            denied.remove(key, revision)
            plain.pop(number, None)
        else:
            denied.apply(key, value, revision, end)
            plain[number] = value, end
    denied.expire(now)
    left = {number: value for number, (value, end) in plain.items() if end is None or end > now}
    assert denied.spend == {number for number, value in left.items() if value == b"spend"}
    assert denied.suspended == {number for number, value in left.items() if value != b"spend"}
    assert denied.deadlines == {number: plain[number][1] for number in left if plain[number][1] is not None}
