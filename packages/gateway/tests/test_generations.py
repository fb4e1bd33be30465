"""A bounded memory that keeps what is in use."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from beyond_gateway.generations import Generations

entries = st.integers(1, 12)
keys = st.lists(st.integers(0, 30), max_size=200)


def look_up(memory: Generations[int, str], key: int) -> str | None:
    found = memory.young.get(key)
    return found if found is not None else memory.recall(key)


def use(memory: Generations[int, str], key: int) -> bool:
    """Whether the key was remembered; it is now."""
    found = look_up(memory, key)
    if found is None:
        memory.keep(key, str(key))
    return found == str(key)


@given(entries, keys)
def test_it_remembers_at_least_half_the_bound_and_never_more_than_it(bound: int, used: list[int]) -> None:
    """The last half of the bound of distinct keys is always found; what is found was kept; the bound holds."""
    memory: Generations[int, str] = Generations(bound)
    recent: OrderedDict[int, None] = OrderedDict()
    seen: set[int] = set()
    for key in used:
        found = use(memory, key)
        assert found <= (key in seen)
        assert found >= (key in list(recent)[-max(1, bound // 2) :])
        recent.pop(key, None)
        recent[key] = None
        seen.add(key)
        assert len(memory) <= max(2, bound)


def test_a_flood_displaces_nothing_in_use() -> None:
    """One key that comes again within half the bound is found each time, however many come once between."""
    memory: Generations[int, str] = Generations(100)
    use(memory, 0)
    for flood in range(1, 5000):
        use(memory, flood)
        if flood % 49 == 0:
            assert look_up(memory, 0) == "0"


def test_what_is_not_used_for_two_generations_is_dropped() -> None:
    """An idle entry makes room."""
    memory: Generations[int, str] = Generations(4)
    assert [use(memory, key) for key in (0, 1, 2, 3, 4, 0)] == [False] * 6


def test_an_entry_is_held_once() -> None:
    """A hit in the old generation takes it out of there."""
    memory: Generations[int, str] = Generations(4)
    for key in (0, 1, 2, 0):
        use(memory, key)
    assert (len(memory), repr(memory)) == (3, "<Generations young=2 old=1>")


def test_values_are_forgotten_in_both_generations() -> None:
    """What is gone is not found again; the others are."""
    memory: Generations[int, str] = Generations(8)
    for key in range(6):
        memory.keep(key, str(key))
    memory.forget(lambda value: value in "014")
    assert [look_up(memory, key) for key in range(6)] == [None, None, "2", "3", None, "5"]
