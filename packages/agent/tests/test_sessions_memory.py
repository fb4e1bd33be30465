"""Sessions that are not stored, and one at a fixed path: the surface of a store without its folder."""

from __future__ import annotations

import os
from inspect import signature
from typing import TYPE_CHECKING

import pytest
from agent_sessions import CWD, MODEL, answer, ended, kinds, names, say, texts

from beyond_agent.sessions.errors import NoSessionStore, SessionLocked
from beyond_agent.sessions.memory import FixedStore, MemoryStore
from beyond_agent.sessions.store import SessionStore

if TYPE_CHECKING:
    from pathlib import Path


def test_a_session_in_memory_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has branches, labels, titles and outcomes like any other; not one file is opened for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "open", None)
    stored = MemoryStore().create(str(tmp_path), MODEL)
    ids = say(stored, "one", answer("two"))
    stored.rename("t")
    stored.label(ids[0], "x")
    ended(stored)
    stored.switch(ids[0])
    stored.add_branch_summary(ids[1], "was two")
    say(stored, "three")
    assert len(stored.branches()) == 2
    assert (stored.path, stored.title, stored.label_of(ids[0]), stored.last_outcome) == (None, "t", "x", "crashed")
    assert stored.renew()
    stored.close()
    monkeypatch.undo()
    assert names(tmp_path) == []


@pytest.mark.parametrize("store", [MemoryStore(), FixedStore("/nowhere/x")], ids=["memory", "fixed"])
def test_repository_commands_without_a_store(store: MemoryStore) -> None:
    """What needs a folder of sessions is `no_session_store`, and says why."""
    for command in (
        lambda: store.open("x"),
        lambda: store.read("x"),
        lambda: store.find("x"),
        lambda: store.newest(CWD),
        lambda: store.fork("x"),
        store.list_sessions,
        lambda: store.delete("x"),
        store.list_trash,
        lambda: store.restore("x"),
    ):
        with pytest.raises(NoSessionStore, match="start without --no-session and --session-file") as caught:
            command()
        assert caught.value.code == "no_session_store"


def test_a_session_at_a_fixed_path(tmp_path: Path) -> None:
    """It is made at its path, opened there the next time, and is the only one."""
    path = tmp_path / "deep" / "my session"
    store = FixedStore(path)
    stored = store.create(CWD, MODEL)
    say(stored, "one")
    with pytest.raises(NoSessionStore):
        store.create(CWD, MODEL)
    stored.close()
    for reopened in (
        lambda: store.open(stored.id),
        lambda: store.read(str(path)),
        lambda: store.open_or_create(stored.id, CWD, MODEL),
    ):
        again = reopened()
        assert texts(again) == ["one"]
        again.close()
    other = FixedStore(path).create("/other", "other")
    assert (texts(other), other.id) == (["one"], stored.id)
    other.close()
    assert kinds(str(path)) == ["session", "message"]


def test_a_fixed_path_that_another_process_takes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks before the other has written, and writes after, finds that one's session and who has it."""

    def not_yet(_: str) -> bool:
        return False

    path = tmp_path / "session"
    first = FixedStore(path).create(CWD, MODEL)
    monkeypatch.setattr(os.path, "lexists", not_yet)
    with pytest.raises(SessionLocked):
        FixedStore(path).create(CWD, MODEL)
    say(first, "one")
    first.close()
    assert names(tmp_path) == ["session"]


def test_all_stores_have_one_surface() -> None:
    """What can be asked of one store can be asked of the others, by the same names."""
    public = {name for name in dir(MemoryStore) if not name.startswith("_")}
    assert public <= set(dir(SessionStore))
    for name in public:
        expected = [str(each) for each in signature(getattr(SessionStore, name)).parameters]
        assert [str(each) for each in signature(getattr(MemoryStore, name)).parameters] == expected, name
