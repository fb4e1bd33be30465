"""Which session a command goes on with: by id, by name, the newest, a copy, a new one, or one that is not kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from agent_sessions import say

from beyond_agent import places as places_of
from beyond_agent.opening import first_session, store_for
from beyond_agent.options import Options
from beyond_agent.sessions.errors import NotFound, SessionLocked
from beyond_wire.types import TextBlock

if TYPE_CHECKING:
    from pathlib import Path

    from beyond_agent.places import Places
    from beyond_agent.sessions.stored import StoredSession


@pytest.fixture(name="places")
def _places(tmp_path: Path) -> Places:
    (tmp_path / "project").mkdir()
    return places_of.find({}, str(tmp_path / "home"), str(tmp_path / "project"))


def opened(places: Places, **settings: Any) -> StoredSession:
    """Open what the settings choose."""
    options = Options(**settings)
    return first_session(store_for(options, places), options, places)


def spoken(places: Places, text: str, **settings: Any) -> str:
    """Leave a session in which something was said; return its id."""
    stored = opened(places, **settings)
    say(stored, text)
    stored.close()
    return stored.id


def said(stored: StoredSession) -> list[str]:
    """Return the texts of a session, which is closed then."""
    stored.close()
    blocks = (block for message in stored.session.messages for block in message.content)
    return [block.text for block in blocks if isinstance(block, TextBlock)]


def test_a_new_one_where_nothing_is_chosen(places: Places) -> None:
    """And where --continue finds none."""
    assert said(opened(places, continue_=True)) == []
    assert spoken(places, "one") != spoken(places, "two")


def test_the_newest_of_this_directory_is_continued(places: Places, tmp_path: Path) -> None:
    """One of another directory is newer and does not count."""
    spoken(places, "old")
    newest = spoken(places, "new")
    (tmp_path / "other").mkdir()
    spoken(places_of.find({}, places.home, str(tmp_path / "other")), "elsewhere")
    stored = opened(places, continue_=True)
    assert (stored.id, said(stored)) == (newest, ["new"])


def test_an_id_is_exact_or_begun(places: Places) -> None:
    """--session-id never takes a longer one for it; --session takes the beginning of one."""
    long = spoken(places, "one", session_id="abc-1")
    assert said(opened(places, session_id="abc")) == []
    assert opened(places, session="abc-").id == long
    with pytest.raises(NotFound):
        opened(places, session="nothing")


def test_a_copy_leaves_the_original(places: Places) -> None:
    """--fork begins a session of its own with the same past, which it names."""
    first = spoken(places, "one")
    copy = opened(places, fork=first)
    assert (copy.id != first, copy.parent, said(copy)) == (True, first, ["one"])


def test_a_title_is_set_where_it_is_another(places: Places) -> None:
    """--name renames a session that is gone on with."""
    first = spoken(places, "one", name="First")
    again = opened(places, session=first, name="Second")
    assert again.title == "Second"
    again.close()


def test_a_fixed_file_is_the_one_session(places: Places) -> None:
    """--session-file makes it and goes on with it; it is found from the current directory."""
    spoken(places, "one", session_file="mine.jsonl")
    assert said(opened(places, session_file="mine.jsonl")) == ["one"]


def test_a_session_in_use_is_taken_over_only_where_that_is_asked_for(places: Places) -> None:
    """The other writer is superseded then."""
    held = opened(places, session_id="mine")
    say(held, "one")
    with pytest.raises(SessionLocked):
        opened(places, session="mine")
    taken = opened(places, session="mine", takeover=True)
    assert said(taken) == ["one"]
    assert not held.renew()
    held.close()


@pytest.mark.parametrize("how", ["session", "fork", "continue_"])
def test_one_that_is_not_kept_knows_what_the_named_one_says(places: Places, how: str) -> None:
    """--no-session reads it, in use or not, and writes nothing."""
    first = spoken(places, "one")
    settings: dict[str, Any] = {"continue_": True} if how == "continue_" else {how: first}
    stored = opened(places, no_session=True, **settings)
    assert (stored.path, said(stored)) == (None, ["one"])
