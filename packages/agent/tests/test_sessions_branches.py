"""A session as a tree: facts, labels, tips, switching, and what a look at it shows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from agent_sessions import CWD, MODEL, answer, call, ended, kinds, lines, results, say, store_in, texts

from beyond_agent.sessions.errors import NotFound
from beyond_agent_core.session import Session
from beyond_wire.types import ToolResultBlock, user

if TYPE_CHECKING:
    from pathlib import Path

    from beyond_agent.sessions.stored import StoredSession
    from beyond_agent.sessions.views import Node


def four(folder: Path) -> StoredSession:
    stored = store_in(folder).create(CWD, MODEL, "t")
    say(stored, "one", answer("two"), "three", answer("four"))
    return ended(stored)


def reopened(stored: StoredSession, folder: Path) -> StoredSession:
    stored.close()
    return store_in(folder).open(stored.id)


def test_a_reloaded_session_equals_the_one_that_was_written(tmp_path: Path) -> None:
    """Messages, totals and the size of the last prompt are the same in the next process."""
    stored = four(tmp_path)
    before, ids = stored.session, stored.ids
    again = reopened(stored, tmp_path)
    assert again.session == before
    assert again.ids == ids
    assert (again.session.steps, again.session.input_tokens, again.session.last_input_tokens) == (2, 20, 10)
    again.close()


def test_facts_are_kept(tmp_path: Path) -> None:
    """Another model, level and title are lines of their own, written once, and there after a reload."""
    stored = four(tmp_path)
    stored.change_model("gpt-5")
    stored.change_model("gpt-5")
    stored.change_thinking("high")
    stored.change_thinking("high")
    assert stored.rename("  two\nlines\x07 and " + "x" * 300) == "two lines and " + "x" * 185 + "…"
    assert kinds(stored)[-3:] == ["model_change", "thinking_level_change", "title_change"]
    again = reopened(stored, tmp_path)
    assert (again.model, again.level, again.title) == ("gpt-5", "high", "two lines and " + "x" * 185 + "…")
    assert texts(again) == ["one", "two", "three", "four"]
    again.close()


def test_an_untitled_session_is_called_like_its_first_prompt(tmp_path: Path) -> None:
    """The checkpoint of the first prompt gives a title, and later ones do not."""
    stored = store_in(tmp_path).create(CWD, MODEL)
    stored.session.user("\n  Mend the \x1b[31mtest\nquickly")
    asyncio.run(stored.checkpoint("prompt", stored.session))
    stored.session.user("and another")
    asyncio.run(stored.checkpoint("prompt", stored.session))
    assert stored.title == "Mend the [31mtest"
    assert kinds(stored).count("title_change") == 1
    stored.close()


def test_a_checkpoint_is_of_its_own_session(tmp_path: Path) -> None:
    """A checkpoint with another session's messages writes nothing."""
    stored = four(tmp_path)
    with pytest.raises(ValueError, match="another session"):
        asyncio.run(stored.checkpoint("end", Session()))
    stored.close()


def test_switching_goes_on_from_an_entry(tmp_path: Path) -> None:
    """The context is the path to the entry; what was left stays readable, and a `leaf` tells of the move."""
    stored = four(tmp_path)
    ids = list(stored.ids)
    stored.switch(ids[1])
    assert texts(stored) == ["one", "two"]
    assert lines(stored)[-1] | {"timestamp": ""} == {
        "type": "leaf",
        "id": lines(stored)[-1]["id"],
        "parent_id": ids[3],
        "timestamp": "",
        "target_id": ids[1],
    }
    say(stored, "other")
    again = reopened(stored, tmp_path)
    assert texts(again) == ["one", "two", "other"]
    assert [(each.leaf_id, each.active, each.message_count, each.preview) for each in again.branches()] == [
        (ids[3], False, 4, "four"),
        (again.leaf_id, True, 3, "other"),
    ]
    again.switch(ids[3])
    assert texts(again) == ["one", "two", "three", "four"]
    again.close()


def test_before_means_the_state_before_an_entry(tmp_path: Path) -> None:
    """Before the first entry is the beginning, where the next message has no parent."""
    stored = four(tmp_path)
    ids = list(stored.ids)
    stored.switch(ids[2], before=True)
    assert texts(stored) == ["one", "two"]
    stored.switch(ids[0], before=True)
    assert (texts(stored), stored.leaf_id) == ([], None)
    assert lines(stored)[-1]["target_id"] is None
    say(stored, "anew")
    assert lines(stored)[-1]["parent_id"] is None
    again = reopened(stored, tmp_path)
    assert texts(again) == ["anew"]
    again.close()


def test_switching_to_where_one_is_writes_nothing(tmp_path: Path) -> None:
    """The tip itself is no move, and what was not written yet is written first."""
    stored = four(tmp_path)
    before = kinds(stored)
    stored.switch(stored.ids[3])
    assert kinds(stored) == before
    stored.session.user("not written yet")
    stored.switch(stored.ids[1])
    assert kinds(stored) == [*before, "message", "leaf"]
    stored.close()


def test_totals_count_all_branches(tmp_path: Path) -> None:
    """What a left branch cost was spent: totals stay, and a reload agrees."""
    stored = four(tmp_path)
    stored.switch(stored.ids[0])
    say(stored, answer("cheaper", tokens=3))
    assert (stored.session.steps, stored.session.input_tokens) == (3, 23)
    again = reopened(stored, tmp_path)
    assert (again.session.steps, again.session.input_tokens, again.session.last_input_tokens) == (3, 23, 3)
    again.close()


def test_unknown_entries_are_not_found(tmp_path: Path) -> None:
    """Every method that takes an entry names the one that is not there, and nothing is written."""
    stored = four(tmp_path)
    before = kinds(stored)
    for attempt in (
        lambda: stored.switch("0000beef"),
        lambda: stored.switch("no id"),
        lambda: stored.label("0000beef", "x"),
        lambda: stored.label_of("0000beef"),
        lambda: stored.tree("0000beef"),
        lambda: stored.messages_since("0000beef"),
        lambda: stored.place_of(upto=5),
    ):
        with pytest.raises(NotFound) as caught:
            attempt()
        assert caught.value.code == "not_found"
    assert kinds(stored) == before
    stored.close()


def test_messages_since(tmp_path: Path) -> None:
    """Messages come with their ids, from behind an entry on; unwritten ones are left out."""
    stored = four(tmp_path)
    stored.session.user("unwritten")
    every = stored.messages_since()
    assert [entry_id for entry_id, _ in every] == list(stored.ids)
    assert stored.messages_since(stored.ids[1]) == every[2:]
    assert stored.messages_since(stored.ids[3]) == []
    stored.close()


def test_labels(tmp_path: Path) -> None:
    """A label is there after a reload and on tips and nodes, and goes with None."""
    stored = four(tmp_path)
    first, tip = stored.ids[0], stored.ids[3]
    stored.label(first, "start")
    stored.label(tip, "good")
    again = reopened(stored, tmp_path)
    assert (again.label_of(first), again.label_of(tip), again.label_of(again.ids[1])) == ("start", "good", None)
    assert again.branches()[0].label == "good"
    assert again.tree()[0][0].label == "start"
    again.label(first, None)
    assert "label" not in lines(again)[-1]
    third = reopened(again, tmp_path)
    assert third.label_of(first) is None
    third.close()


def test_a_summary_of_a_branch_joins_the_context(tmp_path: Path) -> None:
    """What happened on the branch that was left is told as a message, once, and is the tip."""
    stored = four(tmp_path)
    ids = list(stored.ids)
    assert [message.content for message in stored.left_by(ids[1])] == [user("three").content, answer("four").content]
    assert len(stored.left_by(ids[0], before=True)) == 4
    stored.switch(ids[1])
    entry_id = stored.add_branch_summary(ids[3], "tried three", {"files": ["a"]})
    assert stored.leaf_id == entry_id
    assert lines(stored)[-1]["from_id"] == ids[3]
    assert lines(stored)[-1]["details"] == {"files": ["a"]}
    say(stored, "go on")
    before = texts(stored)
    assert before[2].endswith("tried three")
    again = reopened(stored, tmp_path)
    assert texts(again) == before
    assert list(again.ids) == [*ids[:2], entry_id, again.leaf_id]
    again.close()


def test_the_tree_comes_in_pages(tmp_path: Path) -> None:
    """Pages joined by their `next` are all entries, with what each begins with."""
    stored = four(tmp_path)
    say(stored, answer("", call("c1")), results("c1", "x" * 500))
    stored.rename("new")
    found: list[Node] = []
    since: str | None = None
    pages = 0
    while pages == 0 or since is not None:
        page, since = stored.tree(since, limit=3)
        found += page
        pages += 1
    assert pages == 3
    assert [(each.type, each.role, each.preview) for each in found] == [
        ("message", "user", "one"),
        ("message", "assistant", "two"),
        ("message", "user", "three"),
        ("message", "assistant", "four"),
        ("run_end", None, "done"),
        ("message", "assistant", "[bash]"),
        ("message", "user", "x" * 119 + "…"),
        ("title_change", None, "new"),
    ]
    assert [each.parent_id for each in found[:5]] == [None, *stored.ids[:4]]
    assert all(each.timestamp.startswith("2026-01-02T") for each in found)
    stored.close()


def test_last_outcome(tmp_path: Path) -> None:
    """None before a run, `crashed` for one without an end, else how the last one ended."""
    stored = store_in(tmp_path).create(CWD, MODEL)
    assert stored.last_outcome is None
    say(stored, "one")
    assert stored.last_outcome == "crashed"
    again = reopened(stored, tmp_path)
    assert again.last_outcome == "crashed"
    say(again, answer("two"))
    asyncio.run(again.end_run("limit"))
    third = reopened(again, tmp_path)
    assert third.last_outcome == "limit"
    third.rename("a fact is no run")
    assert third.last_outcome == "limit"
    third.close()


def test_orphan_calls_at_the_tip_are_repaired(tmp_path: Path) -> None:
    """Calls whose run broke off get an error result each; it enters the file with the next checkpoint."""
    stored = store_in(tmp_path).create(CWD, MODEL)
    say(stored, "one", answer("", call("c1"), call("c2")))
    again = reopened(stored, tmp_path)
    repaired = again.session.messages[2].content
    assert [(each.tool_use_id, each.is_error) for each in repaired if isinstance(each, ToolResultBlock)] == [
        ("c1", True),
        ("c2", True),
    ]
    assert len(again.ids) == 2
    say(again, "go on")
    assert [line.get("role") for line in lines(again)[1:]] == ["user", "assistant", "user", "user"]
    third = reopened(again, tmp_path)
    assert third.session.messages == again.session.messages
    third.close()
