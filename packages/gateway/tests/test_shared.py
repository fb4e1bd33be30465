"""What workers share: every part in its own place, names that keep their index, memory that children see."""

from __future__ import annotations

import os

import pytest

from beyond_gateway.host.shared import OTHER, Shared
from beyond_gateway.metrics.cells import CELLS, PROVIDERS


def test_parts_do_not_touch_each_other() -> None:
    """Every cell of every part can be set to its own number, and all keep it."""
    shared = Shared(3)
    breakers = [shared.breaker(index) for index in range(1, PROVIDERS)]
    slots = shared.all_metrics()
    for at in range(len(shared.rate)):
        shared.rate[at] = 2**64 - 1 - at
    for number, cells in enumerate([*breakers, *slots]):
        for at in range(len(cells)):
            cells[at] = number + at / 1e6
    shared.register(["a", "b"])
    assert shared.rate.tolist() == [2**64 - 1 - at for at in range(len(shared.rate))]
    for number, cells in enumerate([*breakers, *slots]):
        assert cells.tolist() == [number + at / 1e6 for at in range(len(cells))]
    assert shared.names() == ["other", "a", "b"]
    assert [len(slot) for slot in slots] == [CELLS] * 3


def test_a_name_keeps_its_index() -> None:
    """Names that come later stand behind; one that is named again, or no longer, changes nothing."""
    shared = Shared()
    shared.register(["openai", "groq"])
    shared.register(["new", "groq"])
    shared.register([])
    assert [shared.index(name) for name in ("openai", "groq", "new", "unheard")] == [1, 2, 3, OTHER]
    assert shared.names() == ["other", "openai", "groq", "new"]
    assert repr(shared).startswith("<Shared workers=1 providers=3 ")


def test_a_provider_called_other_is_counted_with_the_rest() -> None:
    """One name stands for one series: a provider of the rest's name takes no place of its own."""
    shared = Shared()
    shared.register(["other", "a"])
    assert shared.names() == ["other", "a"]
    assert shared.index("other") == OTHER


def test_names_of_full_length_stand_side_by_side() -> None:
    """Sixty-four letters, the longest name there is, leave no room between and run into nothing."""
    shared = Shared()
    names = [letter * 64 for letter in "abc"]
    shared.register(names)
    assert shared.names() == ["other", *names]


def test_providers_beyond_the_table_share_the_rest() -> None:
    """The sixty-fourth added name finds no place: index 0, with a breaker that nobody else has."""
    shared = Shared()
    shared.register(f"p{number}" for number in range(PROVIDERS + 5))
    assert shared.index(f"p{PROVIDERS - 2}") == PROVIDERS - 1
    assert shared.index(f"p{PROVIDERS - 1}") == OTHER
    first, second = shared.breaker(OTHER), shared.breaker(OTHER)
    first[0] = 1.0
    assert second[0] == 0.0
    mine = shared.breaker(1)
    mine[0] = 7.0
    assert shared.breaker(1)[0] == 7.0


@pytest.mark.e2e
def test_a_forked_worker_writes_into_the_same_memory() -> None:
    """What a child adds to its slot, its parent reads, also after the child is gone."""
    shared = Shared(2)
    pid = os.fork()
    if not pid:
        shared.metrics(1)[5] = 42.0
        os._exit(0)
    os.waitpid(pid, 0)
    assert [slot[5] for slot in shared.all_metrics()] == [0.0, 42.0]
