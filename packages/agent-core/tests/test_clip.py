"""Bounds of results: what is short stays as it is, what is long keeps both ends and a notice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from beyond_agent_core.clip import clipped, tail, within_turn


@given(st.text(max_size=600), st.integers(200, 500))
def test_a_text_is_kept_or_cut_to_its_bound(text: str, most: int) -> None:
    """Never longer than the bound, and untouched within it."""
    result = clipped(text, most)
    size = len(text.encode("utf-8", "replace"))
    assert len(result.encode("utf-8", "replace")) <= most or size <= most
    assert (result == text) is (size <= most)


def test_both_ends_stay_and_the_notice_counts() -> None:
    """What is gone is told in bytes; characters of several bytes are not cut."""
    text = "a" * 500 + "é" * 500
    result = clipped(text, 300)
    assert result.startswith("a" * 100)
    assert result.endswith("é" * 50)
    assert "[... 1300 of 1500 bytes left out ...]" in result


@given(st.lists(st.text(max_size=400), min_size=1, max_size=6), st.integers(1200, 2000))
def test_the_largest_of_a_turn_are_cut_and_small_ones_are_not(texts: list[str], most: int) -> None:
    """Together within the bound; no text is cut that is smaller than one that is whole."""
    results = within_turn(texts, most)
    assert sum(len(text.encode()) for text in results) <= most
    whole = [len(text.encode()) for text, kept in zip(texts, results, strict=True) if text == kept]
    cut = [len(text.encode()) for text, kept in zip(texts, results, strict=True) if text != kept]
    assert not whole or not cut or max(whole) <= min(cut)


def test_a_snapshot_is_its_tail() -> None:
    """With the number of bytes before it."""
    assert tail("abc", 10) == ("abc", 0)
    assert tail("x" * 20 + "é" * 5, 10) == ("é" * 5, 20)
    assert tail("é" * 10, 5) == ("é" * 2, 16)
