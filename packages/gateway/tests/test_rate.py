"""Requests a second are counted for each credential and for all callers' own keys, by all workers in one table."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_gateway.guards.rate import WAYS, RateGuard

if TYPE_CHECKING:
    from collections.abc import Callable

AGAIN_S = 2**30
"""The seconds begin again at 0 after so many."""


def memory() -> memoryview:
    return memoryview(bytearray(RateGuard.CELLS * 8)).cast("Q")


def key(number: int) -> int:
    """A hash as Python gives it, negative for every second number; no two of a test share a set."""
    value = (number * 0x9E37_79B9_7F4A_7C15) % 2**63
    return -value if number % 2 else value


def neighbour(number: int) -> int:
    """A hash in the set of all others that this gives, with its own fingerprint."""
    return number << 18 | 8


def passed(guard: RateGuard, key_hash: int, now: float, tries: int, *, managed: bool = True) -> int:
    return sum(not guard.over(key_hash, now, managed=managed) for _ in range(tries))


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_key_has_its_limit_in_each_second(limit: int) -> None:
    """As many as the limit pass in a second, and as many in the next, whenever in it they come."""
    guard = RateGuard(memory(), limit, 0)
    for second in (0, 1, 2, 77, 1_000_000):
        assert passed(guard, key(1), second + 0.25, limit) == limit
        assert passed(guard, key(1), second + 0.999, 3) == 0


def test_keys_do_not_share_a_limit() -> None:
    """Each credential is counted by itself."""
    guard = RateGuard(memory(), 3, 0)
    assert [passed(guard, key(number), 5.0, 5) for number in range(200)] == [3] * 200


def test_zero_is_no_limit() -> None:
    """Either guard is off at 0, and the other stays on."""
    assert passed(RateGuard(memory(), 0, 0), key(1), 5.0, 2000, managed=False) == 2000
    assert passed(RateGuard(memory(), 0, 7), key(1), 5.0, 2000, managed=False) == 7
    assert passed(RateGuard(memory(), 7, 0), key(1), 5.0, 2000, managed=False) == 7


def test_callers_own_keys_have_one_limit_together() -> None:
    """Distinct own keys share the total of a second; managed requests neither count in it nor are stopped by it."""
    guard = RateGuard(memory(), 100, 10)
    assert passed(guard, key(0), 5.0, 50) == 50
    assert sum(passed(guard, key(number), 5.1, 1, managed=False) for number in range(1, 31)) == 10
    assert passed(guard, key(0), 5.2, 60) == 50
    assert sum(passed(guard, key(number), 6.0, 1, managed=False) for number in range(1, 31)) == 10


def test_what_is_refused_by_key_is_not_counted_in_the_total() -> None:
    """One runaway key of a caller takes its own limit out of the total, never more."""
    guard = RateGuard(memory(), 2, 5)
    assert passed(guard, key(1), 5.0, 1000, managed=False) == 2
    assert sum(passed(guard, key(number), 5.0, 1, managed=False) for number in range(2, 9)) == 3


@given(
    st.integers(0, 4),
    st.integers(0, 6),
    st.sampled_from([key, neighbour]),
    st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, WAYS - 1), st.booleans(), st.sampled_from([0.0, 0.0, 0.1, 1.0, 9.0])
        )
    ),
)
def test_several_guards_hold_one_ceiling(
    per_key: int, together: int, hashed: Callable[[int], int], calls: list[tuple[int, int, bool, float]]
) -> None:
    """Whichever worker gets a request, the answer is that of one counter by key and second, and one for all own keys.

    That holds for any keys in distinct sets, and for as many as there are ways in one set.
    """
    cells = memory()
    guards = [RateGuard(cells, per_key, together) for _ in range(3)]
    now, by_key, own = 1.0, Counter[tuple[int, int]](), Counter[int]()
    for worker, number, managed, later in calls:
        now += later
        second = int(now)
        over = bool(per_key) and by_key[number, second] >= per_key
        if not over:
            by_key[number, second] += 1
            if together and not managed:
                over = own[second] >= together
                own[second] += not over
        assert guards[worker].over(hashed(number), now, managed=managed) is over


@given(
    st.integers(2, 20), st.lists(st.integers(1, 2**16 - 1), min_size=1, max_size=400), st.sampled_from([key, neighbour])
)
def test_a_flood_of_other_keys_neither_limits_a_key_nor_frees_it(
    limit: int, others: list[int], hashed: Callable[[int], int]
) -> None:
    """A key under its limit always passes, one over it never does, whatever comes between and in whichever set.

    Others come once each; what evicts is the lowest count, so a key that came twice stays.
    """
    guard = RateGuard(memory(), limit, 0)
    good, runaway = neighbour(2**17), neighbour(2**17 + 1)
    assert passed(guard, runaway, 5.0, limit) == limit
    for number in set(others):
        guard.over(hashed(number), 5.0, managed=True)
        assert guard.over(runaway, 5.0, managed=True)
    assert passed(guard, good, 5.5, limit) == limit
    assert passed(guard, neighbour(2**17 + 2), 6.0, limit) == limit


def test_many_distinct_keys_take_no_more_memory() -> None:
    """Any number of keys fits in the same 1 MiB (20,000 here; 10 million gave the same)."""
    cells = memory()
    assert cells.nbytes < 1.1 * 2**20
    guard = RateGuard(cells, 5, 0)
    guard.over(key(0), 5.0, managed=True)
    tracemalloc.start()
    try:
        for number in range(20_000):
            guard.over(hash(b"%d" % number), 5.0, managed=True)
        assert tracemalloc.get_traced_memory()[0] < 4096
    finally:
        tracemalloc.stop()
    assert passed(guard, key(-1), 5.0, 9) == 5


def test_cells_of_an_earlier_second_are_empty_ones() -> None:
    """Whatever they hold, what was counted before this second limits nobody in it."""
    cells = memory()
    for at in range(RateGuard.CELLS):
        cells[at] = (at * 0x9E37_79B9_7F4A_7C15) % (1000 << 34)
    guard = RateGuard(cells, 3, 1000)
    assert [passed(guard, key(number), 1000.0, 5, managed=False) for number in range(300)] == [3] * 300


def test_seconds_begin_again_without_freeing_or_limiting_anybody() -> None:
    """After 34 years of uptime the count of seconds starts at 0, and cells from before it are empty ones too."""
    for number in range(6):
        guard = RateGuard(memory(), 3, 4)
        for now in (AGAIN_S - 3.0, AGAIN_S - 1.0, AGAIN_S, AGAIN_S + 1.0, AGAIN_S + 7.5):
            guard.over(neighbour(50), now, managed=True)
            assert passed(guard, neighbour(number), now, 5, managed=False) == 3
            assert passed(guard, neighbour(number + 10), now, 5, managed=False) == 1


def test_a_worker_whose_clock_is_behind_counts_in_the_second_of_the_others() -> None:
    """Where one worker is already in the next second, a later call by one that is not begins nothing again."""
    cells = memory()
    ahead, behind = RateGuard(cells, 10, 16), RateGuard(cells, 10, 16)
    assert passed(behind, key(1), 5.999, 20, managed=False) == 10
    workers = ((ahead, 6.0), (behind, 5.9999)) * 10
    first = [not worker.over(key(1), now, managed=False) for worker, now in workers]
    assert first == [True] * 10 + [False] * 10
    second = [not worker.over(key(2), now, managed=False) for worker, now in workers]
    assert second == [True] * 6 + [False] * 14


class StandsStill:
    """Cells as a worker sees them that stands still before one of its writes, while others go on."""

    def __init__(self, cells: memoryview, before_write: int, others: Callable[[], None]) -> None:
        self._cells = cells
        self._left = before_write
        self._others = others

    def __getitem__(self, at: int) -> int:
        return self._cells[at]

    def __setitem__(self, at: int, cell: int) -> None:
        self._left -= 1
        if self._left == 0:
            self._others()
        self._cells[at] = cell


@pytest.mark.parametrize("before_write", range(1, 8))
@pytest.mark.parametrize("others_pass", [1, 30, 100])
@pytest.mark.parametrize("later", [0.0, 1.0])
@pytest.mark.parametrize("taken", [0, 2, 4])
def test_a_worker_that_stands_still_takes_no_counts_back(
    before_write: int, others_pass: int, later: float, taken: int
) -> None:
    """Stopped before any of its writes while others count on, also into the next second, it costs nothing.

    Nor where the first ways of the set are taken by other keys, or all, so that one of those must go.
    """
    cells = memory()
    others = RateGuard(cells, 100, 0)
    for number in range(taken):
        others.over(neighbour(90 + number), 5.0, managed=True)
        others.over(neighbour(90 + number), 5.0 + later, managed=True)
    by_others: list[int] = []

    def go_on() -> None:
        by_others.append(passed(others, neighbour(1), 5.0 + later, others_pass))

    seen = cast("Any", StandsStill(cells, before_write, go_on))
    by_worker = passed(RateGuard(seen, 100, 0), neighbour(1), 5.0, 4)
    assert len(by_others) == 1
    rest = passed(others, neighbour(1), 5.0 + later, 200)
    if later:
        # What it counts after the others went on counts in their second.
        assert 100 - by_worker <= by_others[0] + rest <= 100
    else:
        assert by_worker + by_others[0] + rest == 100


def test_limits_change_without_forgetting() -> None:
    """A reload's limits hold at once, over what the second has counted."""
    guard = RateGuard(memory(), 10, 0)
    assert passed(guard, key(1), 5.0, 6) == 6
    guard.set_limits(7, 3)
    assert passed(guard, key(1), 5.0, 6) == 1
    guard.set_limits(0, 3)
    assert passed(guard, key(1), 5.0, 6, managed=False) == 3
    guard.set_limits(2**53, 2**53)
    assert passed(guard, key(1), 5.0, 600, managed=False) == 600
    assert repr(guard) == "<RateGuard per_key=262143 byo=262143>"


def test_the_highest_limit_does_not_run_over_into_another_field() -> None:
    """At the largest count that a cell holds, requests are refused, and the fingerprint stays as it is."""
    cells = memory()
    guard = RateGuard(cells, 2**53, 0)
    guard.over(neighbour(3), 5.0, managed=True)
    full = [at for at in range(RateGuard.CELLS) if cells[at]]
    assert len(full) == 2
    for at in full:
        cells[at] += 2**18 - 3
    assert passed(guard, neighbour(3), 5.0, 5) == 1
    assert passed(guard, neighbour(3), 6.0, 5) == 5
