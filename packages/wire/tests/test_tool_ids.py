"""Tool ids: two in one and back, valid for each dialect, unique, stable."""

from __future__ import annotations

import re
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_wire.tool_ids import MAX_CHARACTERS, ToolIds, pack, unpack

TEXT = st.text(st.sampled_from("ab\\|_\n🙂"), max_size=8)


@given(TEXT, st.none() | TEXT.filter(bool))
def test_unpack_is_the_inverse_of_pack(call_id: str, item_id: str | None) -> None:
    """Both ids come back, whatever characters they hold."""
    assert unpack(pack(call_id, item_id)) == (call_id, item_id)


@pytest.mark.parametrize(
    ("call_id", "item_id", "packed"),
    [
        ("call_1", "fc_1", "call_1|fc_1"),
        ("call_1", None, "call_1"),
        ("call_1", "", "call_1"),
        ("a|b", "c", r"a\|b|c"),
        ("a\\", "c|", r"a\\|c\|"),
    ],
)
def test_form(call_id: str, item_id: str | None, packed: str) -> None:
    """The two ids are joined by a bar; bars and backslashes inside them are escaped."""
    assert pack(call_id, item_id) == packed


@given(st.text())
def test_unpack_takes_any_text(text: str) -> None:
    """An id that was never packed is a call id."""
    call_id, item_id = unpack(text)
    assert "|" in text or (item_id is None and call_id == text.replace("\\\\", "\\"))


@pytest.mark.parametrize(
    ("dialect", "packed", "foreign", "given_id"),
    [
        ("anthropic", "toolu_01", False, "toolu_01"),
        ("anthropic", "call_1|fc_1", True, "call_1"),
        ("anthropic", "functions.run:0", True, "functions_run_0"),
        ("anthropic", "", True, "call"),
        ("anthropic", "x" * 65, True, "x" * 64),
        ("chat", "functions.run:0", False, "functions.run:0"),
        ("chat", "call_1|fc_1", True, "call_1"),
        ("chat", r"a\|b", False, "a_b"),
        ("chat", "x" * 41, False, "x" * 40),
        ("responses", "call_1|fc_1", False, "call_1|fc_1"),
        ("responses", "call_1|fc_1", True, "call_1"),
        ("responses", "x" * 70 + "|fc_1", False, "x" * 64 + "|fc_1"),
        ("responses", "toolu_01", True, "toolu_01"),
    ],
)
def test_given_id(dialect: Any, packed: str, given_id: str, *, foreign: bool) -> None:
    """A valid id stays; others are made valid; an item id stays with its own model only."""
    assert ToolIds(dialect).give(packed, foreign=foreign) == given_id


@given(st.sampled_from(sorted(MAX_CHARACTERS)), st.lists(TEXT | st.just("y" * 80), max_size=12))
def test_given_ids_are_unique_valid_and_final(dialect: Any, wanted: list[str]) -> None:
    """Each id is given once and fits the dialect; what was given is given again to itself."""
    ids = ToolIds(dialect)
    given_ids = [ids.give(packed, foreign=False) for packed in wanted]
    calls = [unpack(packed)[0] if dialect == "responses" else packed for packed in given_ids]
    assert len(set(calls)) == len(calls)
    assert all(0 < len(call) <= MAX_CHARACTERS[dialect] for call in calls)
    assert dialect != "anthropic" or all(re.fullmatch("[A-Za-z0-9_-]+", call) for call in calls)
    again = ToolIds(dialect)
    assert [again.give(packed, foreign=False) for packed in given_ids] == given_ids


def test_repeated_ids_are_numbered() -> None:
    """The second of two equal ids gets a number, within the bound, and not one that was given already."""
    ids = ToolIds("chat")
    wanted = ["call_0", "call_0_2", "call_0", "call_0", "x" * 40, "x" * 40]
    given_ids = [ids.give(packed, foreign=False) for packed in wanted]
    assert given_ids == ["call_0", "call_0_2", "call_0_3", "call_0_4", "x" * 40, "x" * 38 + "_2"]
    assert repr(ids) == "<ToolIds chat given=6>"


def test_many_equal_ids_are_numbered_in_linear_time() -> None:
    """Numbers go on where they stopped: ten times the equal ids take about ten times as long, not a hundred times."""

    def seconds(count: int) -> float:
        ids = ToolIds("chat")
        started = process_time()
        given_ids = [ids.give("call_0", foreign=False) for _ in range(count)]
        taken = process_time() - started
        assert given_ids[-1] == f"call_0_{count}"
        return taken

    ratios = (seconds(10_000) / seconds(1_000) for _ in range(5))
    assert any(ratio < 30 for ratio in ratios)


def test_copy_is_independent() -> None:
    """A copy goes on from the same ids and does not change its origin."""
    ids = ToolIds("chat")
    ids.give("a", foreign=False)
    twin = ids.copy()
    assert twin.give("a", foreign=False) == "a_2"
    assert ids.give("a", foreign=False) == "a_2"
