"""Sizes and cuts of a compaction, from messages alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_agent_core.compaction_plan import (
    CompactionSettings,
    cleared,
    cut_at,
    recent_from,
    sizes_for,
    turn_start,
)
from beyond_agent_core.compaction_text import history_prompt, rendered, stripped
from beyond_agent_core.errors import ConfigError
from beyond_agent_core.estimate import tokens_of
from beyond_wire.testing.histories import random_history
from beyond_wire.types import Caps, ImageSource, Message, ThinkingBlock, ToolResultBlock, ToolUseBlock, user

IMAGE = ImageSource(media_type="image/png", data="QUJD")


@pytest.mark.parametrize("name", ["window", "reserve", "keep_recent", "summary_max"])
def test_a_size_that_is_none_is_refused(name: str) -> None:
    """By its name, when the settings are made."""
    bad: dict[str, Any] = {name: 0}
    with pytest.raises(ConfigError, match=f"compaction.{name}: "):
        CompactionSettings(**bad)


@pytest.mark.parametrize(
    ("window", "most", "wanted"),
    [
        (200_000, 64_000, (200_000, 16_384, 20_000, 13_107, 8_192)),
        (32_000, 64_000, (32_000, 8_000, 12_000, 6_400, 4_000)),
        (32_000, 1_000, (32_000, 8_000, 12_000, 1_000, 1_000)),
    ],
)
def test_sizes_shrink_with_the_window(window: int, most: int, wanted: tuple[int, ...]) -> None:
    """Window, reserve, what is kept, and how long the summaries may be."""
    sizes = sizes_for(CompactionSettings(), Caps(window=window, max_output=most))
    assert (sizes.window, sizes.reserve, sizes.keep_recent, sizes.summary_max, sizes.prefix_max) == wanted
    assert sizes.trigger == window - sizes.reserve


@given(st.integers(0, 10_000), st.integers(1, 600), st.integers(0, 1))
def test_a_cut_never_parts_a_call_from_its_result(seed: int, keep: int, base: int) -> None:
    """It stands before an assistant message, behind the base, within the history."""
    messages = random_history(seed, longest=20)
    cut = cut_at(messages, recent_from(messages, keep), base)
    if cut is not None:
        assert base < cut < len(messages)
        assert messages[cut].role == "assistant"


def test_a_cut_is_the_first_in_what_is_recent_else_the_last_before() -> None:
    """Forward first, then backward; four messages at least."""
    said = [user("x" * 400), Message(role="assistant", content=user("y" * 400).content)] * 3
    assert recent_from(said, 250) == 3
    assert cut_at(said, 3, 0) == 3
    assert cut_at(said, 2, 0) == 3
    assert cut_at([*said, user("z" * 4_000)], 6, 0) == 5
    assert cut_at(said[:3], 2, 0) is None
    assert cut_at(said, 0, 0) is None
    assert cut_at(said, 1, 1) is None


def test_the_start_of_a_turn_is_its_prompt() -> None:
    """Not a message of results; a prompt directly before the cut is no turn that has begun."""
    call = Message(role="assistant", content=(ToolUseBlock(id="a", name="read", input={}),))
    result = Message(role="user", content=(ToolResultBlock(tool_use_id="a", content="x"),))
    messages = [user("one"), call, result, call, result]
    assert turn_start(messages, 3) == 0
    assert turn_start([*messages, user("two"), call], 6) == 6


def test_old_results_keep_their_beginning_and_lose_their_images() -> None:
    """Above 2,000 characters; smaller ones and recent ones are the same objects."""
    large = ToolResultBlock(tool_use_id="a", content="x" * 2_001)
    small = ToolResultBlock(tool_use_id="b", content="x" * 2_000)
    seen = ToolResultBlock(tool_use_id="c", content="seen", images=(IMAGE,))
    message = Message(role="user", content=(large, small, seen))
    recent = Message(role="user", content=(large,))
    first, second = cleared([message, recent], 10)
    assert second is recent
    cut, kept, blind = (block for block in first.content if isinstance(block, ToolResultBlock))
    assert cut.content == "x" * 200 + "\n[1801 characters cleared to save context]"
    assert kept is small
    assert (blind.content, blind.images) == ("seen\n[1 images cleared to save context]", ())


def test_a_history_reads_as_text_within_its_bound() -> None:
    """Results and thinking are cut, the newest is kept."""
    blocks = (ThinkingBlock(thinking="t" * 1_001, signature=""), ToolUseBlock(id="a", name="read", input={"p": 1}))
    result = ToolResultBlock(tool_use_id="a", content="r" * 2_002, is_error=True)
    text = rendered([Message(role="assistant", content=blocks), Message(role="user", content=(result,))], 10_000)
    assert f"[assistant thinking]: {'t' * 1_000}… [1 more characters]\n" in text
    assert '[assistant calls read]: {"p":1}' in text
    assert text.endswith(f"[tool error]: {'r' * 2_000}… [2 more characters]")
    assert rendered([user("old"), user("n" * 40)], 10) == f"[earlier part left out]\n{'n' * 40}"
    assert len(rendered([user("n" * 900_000)], 1_000_000)) < 800_100


def test_half_a_character_of_a_model_is_no_fault_of_ours() -> None:
    """Arguments may hold a lone surrogate, which is counted and rendered as U+FFFD."""
    call = ToolUseBlock(id="a", name="read", input={"p": "\ud800" * 40})
    message = Message(role="assistant", content=(call,))
    assert tokens_of([message]) > 10
    assert "\ufffd" in rendered([message], 1_000)


def test_an_update_is_asked_for_where_there_is_an_earlier_summary() -> None:
    """And its size is taken from what the history may have."""
    assert "Update the earlier summary" in history_prompt([user("x")], "before", "", 100)
    assert "earlier" not in history_prompt([user("x")], "", "", 100)
    assert "n" * 60 not in history_prompt([user("n" * 60)], "b" * 400, "", 110)


def test_lists_of_files_are_not_the_models_to_make() -> None:
    """Whole ones and cut ones are taken out."""
    made = "a\n<read-files>\nx\n</read-files>\n\nb\n<modified-files>\ny"
    assert stripped(made) == "a\nb"
