"""Which session is meant, lists, copies, and the trash."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from agent_sessions import CWD, MODEL, Clock, answer, ended, lines, names, say, spy, store_in, texts

from beyond_agent.sessions.errors import (
    Ambiguous,
    BadSessionId,
    IdTaken,
    NotFound,
    SessionError,
    SessionIO,
    SessionLocked,
)
from beyond_agent.sessions.files import new_header, put

if TYPE_CHECKING:
    from beyond_agent.sessions.store import SessionStore
    from beyond_agent.sessions.stored import StoredSession


def spoken(store: SessionStore, prompt: str = "hello", **more: Any) -> str:
    """Make a session in which something was said, and close it; return its id."""
    stored = store.create(**{"cwd": CWD, "model": MODEL, **more})
    say(stored, prompt, answer("yes"))
    ended(stored).close()
    return stored.id


# -- choice


def test_a_session_by_id_path_and_prefix(tmp_path: Path) -> None:
    """An id, its unique beginning and a path lead to the same session, from any directory's folder."""
    store = store_in(tmp_path / "here", root=tmp_path)
    session_id = spoken(store_in(tmp_path / "there"))
    path = store.find(session_id)
    assert Path(path).parent == tmp_path / "there"
    for reference in (session_id, session_id[:12], path, os.path.relpath(path)):
        stored = store.open(reference)
        assert stored.id == session_id
        stored.close()


def test_an_ambiguous_prefix_names_the_candidates(tmp_path: Path) -> None:
    """A beginning of several ids is an error that names them; one in which nothing was said is no candidate."""
    store = store_in(tmp_path)
    ids = [spoken(store), spoken(store)]
    with pytest.raises(Ambiguous) as caught:
        store.open("sess_")
    assert caught.value.code == "ambiguous"
    assert caught.value.candidates == tuple(ids)
    assert all(each in str(caught.value) for each in ids)
    store.delete(ids[0])
    empty = store.create(CWD, MODEL)
    assert store.find("sess_") == store.find(ids[1])
    empty.close()


@pytest.mark.parametrize("reference", ["sess_nope", "", "/nowhere/x.jsonl", "x.jsonl"])
def test_a_reference_to_nothing(tmp_path: Path, reference: str) -> None:
    """What leads nowhere is `not_found`, and says where to look."""
    spoken(store_in(tmp_path))
    with pytest.raises(NotFound, match="beyond-ai-agent sessions"):
        store_in(tmp_path).open(reference)


def test_an_exact_id_is_never_a_prefix(tmp_path: Path) -> None:
    """`open_or_create` makes the session of an id that is only the beginning of another, and opens it the next time."""
    store = store_in(tmp_path / "a", root=tmp_path)
    spoken(store, session_id="build-42")
    made = store.open_or_create("build-4", CWD, MODEL)
    assert made.id == "build-4"
    say(made, "mine")
    made.close()
    again = store.open_or_create("build-4", "/other", "other")
    assert (texts(again), again.cwd) == (["mine"], CWD)
    again.close()
    elsewhere = store_in(tmp_path / "b", root=tmp_path).create(CWD, MODEL, session_id="build-42")
    assert texts(elsewhere) == ["hello", "yes"]
    elsewhere.close()


@pytest.mark.parametrize("session_id", ["", "a/b", "../x", "a b", "x" * 101, "ä", ".hidden", "a\n"])
def test_an_id_that_is_no_name(tmp_path: Path, session_id: str) -> None:
    """An id that cannot be part of a file's name is refused, and nothing is made."""
    with pytest.raises(BadSessionId) as caught:
        store_in(tmp_path / "s").open_or_create(session_id, CWD, MODEL)
    assert caught.value.code == "invalid_field"
    assert not (tmp_path / "s").exists()


def test_newest_is_the_last_written_of_a_directory(tmp_path: Path) -> None:
    """`newest` is of this directory, by when it was written last; None without any."""
    store = store_in(tmp_path)
    assert store.newest(CWD) is None
    first, second = spoken(store), spoken(store)
    spoken(store, cwd="/work/other")
    store.create(CWD, MODEL).close()
    assert store.newest(CWD) == store.find(second)
    stored = store.open(first)
    say(stored, "more")
    stored.close()
    assert store.newest(CWD) == store.find(first)


# -- making


def test_the_header_is_there_before_the_id(tmp_path: Path) -> None:
    """A new session's file is whole when `create` returns, in a folder of its owner alone."""
    stored = store_in(tmp_path / "a" / "b").create(CWD, MODEL, "t", "sess_parent")
    assert lines(stored)[0]["id"] == stored.id
    assert lines(stored)[0]["parent"] == "sess_parent"
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    stored.close()


def test_a_file_system_without_links_takes_sessions_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its session is whole, alone in its folder, and its name is nobody else's."""

    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    session_id = spoken(store_in(tmp_path))
    path = Path(store_in(tmp_path).find(session_id))
    assert names(tmp_path) == [path.name]
    assert texts(store_in(tmp_path).read(session_id)) == ["hello", "yes"]
    before = path.read_bytes()
    with pytest.raises(SessionIO, match="File exists"):
        put(str(path), new_header(Clock()(), os.urandom, cwd=CWD, model=MODEL))
    assert path.read_bytes() == before
    assert names(tmp_path) == [path.name]


def test_a_session_in_which_nothing_was_said_goes_at_its_close(tmp_path: Path) -> None:
    """A header alone is removed with its lease; a spoken or a damaged one stays."""
    store = store_in(tmp_path)
    store.create(CWD, MODEL).close()
    assert names(tmp_path) == []
    session_id = spoken(store)
    path = Path(store.find(session_id))
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + b"damaged\n")
    store.open(session_id).close()
    assert names(tmp_path) == [path.name]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in the way of the folder is an error with its path and the mending."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SessionIO, match=f"cannot make the folder {tmp_path}/file/s: .*use --no-session"):
        store_in(tmp_path / "file" / "s").create(CWD, MODEL)
    with pytest.raises(SessionIO, match="cannot make the folder"):
        store_in(tmp_path / "file" / "s").open_or_create("x", CWD, MODEL)
    assert store_in(tmp_path / "file" / "s").list_sessions().total == 0


# -- lists


def test_a_list_shows_what_there_is(tmp_path: Path) -> None:
    """Newest first, by directory or all, with a query over what is shown, in pages."""
    store = store_in(tmp_path / "a", root=tmp_path)
    ids = [spoken(store, f"prompt {at}", title=f"Title {at}") for at in range(4)]
    other = spoken(store_in(tmp_path / "b", root=tmp_path), "elsewhere", cwd="/work/other", parent=ids[0])
    store.create(CWD, MODEL).close()
    (tmp_path / "a" / "junk.jsonl").write_text("junk")
    (tmp_path / "a" / "2026_bad.jsonl").write_text("junk")
    (tmp_path / "a" / "2026_dir.jsonl").mkdir()
    page = store.list_sessions(cwd=CWD)
    assert [each.id for each in page.sessions] == ids[::-1]
    newest = page.sessions[0]
    assert (newest.title, newest.cwd, newest.model, newest.message_count, newest.preview, newest.parent) == (
        "Title 3",
        CWD,
        MODEL,
        2,
        "prompt 3",
        None,
    )
    assert newest.created_at < newest.updated_at == lines(newest.path)[-1]["timestamp"]
    assert store.list_sessions().total == 5
    assert store.list_sessions(query="ELSEWHERE").sessions[0].id == other
    assert store.list_sessions(query="ELSEWHERE").sessions[0].parent == ids[0]
    assert store.list_sessions(query="title 2").total == 1
    middle = store.list_sessions(cwd=CWD, limit=2, offset=1)
    assert ([each.id for each in middle.sessions], middle.total) == ([ids[2], ids[1]], 4)


def big(store: SessionStore, *, end: bool = True, leaf: bool = False) -> StoredSession:
    """Return a session of 200 KiB: its beginning and end are seen, its middle is not."""
    stored = store.create(CWD, MODEL, "old title")
    say(stored, "the first prompt", answer("yes"))
    for _ in range(100):
        say(stored, "x" * 2000)
    if end:
        stored.rename("new title")
        ended(stored)
    if leaf:
        stored.switch(stored.ids[0])
    say(stored, "one more", answer("and its answer"))
    return stored


def test_a_long_session_is_listed_by_its_ends(tmp_path: Path) -> None:
    """The count is what the last run left and what came after it; the title that of the end."""
    store = store_in(tmp_path)
    stored = big(store)
    (listed,) = store.list_sessions(cwd=CWD).sessions
    assert (listed.title, listed.message_count, listed.preview) == ("new title", 104, "the first prompt")
    stored.close()


@pytest.mark.parametrize(("end", "leaf"), [(False, False), (True, True)])
def test_counts_that_cannot_be_seen_are_none(tmp_path: Path, *, end: bool, leaf: bool) -> None:
    """Without the end of a run in sight, or behind a move to another branch, nobody knows the count."""
    store = store_in(tmp_path)
    stored = big(store, end=end, leaf=leaf)
    (listed,) = store.list_sessions(cwd=CWD).sessions
    assert listed.message_count is None
    assert listed.preview == "the first prompt"
    stored.close()


def test_a_list_reads_the_ends_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each file at most 8 KiB of its beginning and 64 KiB of its end are read, whatever its size."""
    store = store_in(tmp_path)
    spoken(store)
    big(store).close()
    for at in range(5):
        path = tmp_path / f"2026_huge{at}.jsonl"
        header = msgspec.json.encode(
            {"type": "session", "version": 1, "id": f"huge{at}", "created_at": "", "cwd": CWD, "model": MODEL}
        )
        path.write_bytes(header + b"\n" + b"?" * 100)
        os.truncate(path, 10_000_000)
    spied = spy(monkeypatch, "pread")
    monkeypatch.setattr(os, "fdopen", None)
    monkeypatch.setattr(os, "read", None)
    assert store.list_sessions(cwd=CWD).total == 7
    read: list[tuple[int, int]] = [given[1:] for given in spied]
    assert len([size for size, at in read if at == 0]) == 7
    assert {size for size, at in read if at == 0} == {8 << 10}
    assert len([size for size, at in read if at]) <= 7
    assert all(size <= 64 << 10 for size, at in read if at)


# -- copies


def forkable(store: SessionStore) -> StoredSession:
    stored = store.create(CWD, MODEL, "t")
    say(stored, "one", answer("two"))
    ended(stored)
    stored.label(stored.ids[1], "good")
    say(stored, "three", answer("four"))
    ended(stored)
    left = stored.ids[3]
    stored.switch(stored.ids[1])
    say(stored, "other", answer("way"))
    stored.label(left, "left")
    return ended(stored)


def test_a_fork_is_the_path_in_a_new_file(tmp_path: Path) -> None:
    """The copy has the active path with its ids and labels and names its parent; the source is as it was."""
    store = store_in(tmp_path)
    source = forkable(store)
    before = Path(source.path or "").read_bytes()
    copy = store.fork(source)
    assert texts(copy) == ["one", "two", "other", "way"]
    assert copy.ids == source.ids
    assert copy.label_of(copy.ids[1]) == "good"
    assert (copy.parent, copy.cwd, copy.title, copy.last_outcome) == (source.id, CWD, "t", "done")
    assert copy.session == source.session
    assert len(copy.branches()) == 1
    assert copy.id != source.id
    assert Path(source.path or "").read_bytes() == before
    say(copy, "only here")
    copy.close()
    assert texts(source) == ["one", "two", "other", "way"]
    again = store.open(copy.id)
    assert texts(again)[-1] == "only here"
    again.close()
    source.close()


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"upto": 0}, []),
        ({"upto": 3}, ["one", "two", "other"]),
        ({"target_id": 1}, ["one", "two"]),
        ({"target_id": 1, "before": True}, ["one"]),
        ({"target_id": 0, "before": True}, []),
    ],
)
def test_a_fork_from_the_middle(tmp_path: Path, place: dict[str, Any], expected: list[str]) -> None:
    """A count of messages, an entry, or the state before it; what is copied is no crashed run."""
    store = store_in(tmp_path)
    source = forkable(store)
    if "target_id" in place:
        place = {**place, "target_id": source.ids[place["target_id"]]}
    copy = store.fork(source, **place)
    assert texts(copy) == expected
    assert copy.last_outcome == ("done" if expected else None)
    copy.close()
    source.close()


def test_a_fork_by_reference_may_be_in_use(tmp_path: Path) -> None:
    """A session that another writer has can be copied, into another directory; a crashed one stays crashed."""
    store = store_in(tmp_path / "a", root=tmp_path)
    source = forkable(store)
    copy = store_in(tmp_path / "b", root=tmp_path).fork(source.id, cwd="/work/b")
    assert (texts(copy), copy.cwd) == (texts(source), "/work/b")
    assert Path(copy.path or "").parent == tmp_path / "b"
    copy.close()
    say(source, "in the middle")
    copy = store.fork(source.id)
    assert copy.last_outcome == "crashed"
    copy.close()
    source.close()


def test_a_fork_of_a_damaged_session_is_whole(tmp_path: Path) -> None:
    """A source whose last line lacks its LF gives a copy in which every line is one."""
    store = store_in(tmp_path)
    source = forkable(store)
    source.close()
    path = Path(source.path or "")
    text = path.read_bytes()
    path.write_bytes(text[: text.rindex(b'{"type":"run_end"')].rstrip(b"\n"))
    copy = store.fork(source.id)
    assert Path(copy.path or "").read_bytes().endswith(b"}\n")
    assert copy.skipped.count == 0
    copy.close()


# -- the trash


def test_delete_and_restore(tmp_path: Path) -> None:
    """Deleted is in the trash beside it, and not listed; restored it is as before; both twice are once."""
    store = store_in(tmp_path / "a", root=tmp_path)
    session_id = spoken(store)
    content = Path(store.find(session_id)).read_bytes()
    assert store.delete(session_id) == store.delete(session_id) == session_id
    assert [path.name for path in (tmp_path / "a" / ".trash").iterdir()] == [
        f"2026-01-02T03:04:06.000Z_{session_id}.jsonl"
    ]
    assert names(tmp_path / "a") == [".trash"]
    assert store.list_sessions().total == 0
    assert [each.id for each in store.list_trash()] == [session_id]
    with pytest.raises(NotFound):
        store.open(session_id)
    assert store.restore(session_id) == store.restore(session_id) == session_id
    assert store.list_trash() == []
    assert Path(store.find(session_id)).read_bytes() == content
    stored = store.open(session_id)
    with pytest.raises(SessionLocked):
        store.delete(session_id)
    stored.close()


def test_restoring_an_id_that_another_session_has_by_now(tmp_path: Path) -> None:
    """It stays in the trash until the other is deleted too; then the newest of them comes back."""
    store = store_in(tmp_path)
    for said in ("first", "second"):
        stored = store.open_or_create("mine", CWD, MODEL)
        say(stored, said, answer("yes"))
        ended(stored).close()
        store.delete("mine")
    assert store.restore("mine") == "mine"
    assert texts(store.read("mine"))[0] == "second"
    with pytest.raises(IdTaken, match="there is a session 'mine' already"):
        store.restore("mine")
    assert len(store.list_trash()) == 1


def test_deleting_a_file_that_is_kept_elsewhere(tmp_path: Path) -> None:
    """A path that leads to no session of the store is not found, and its file stays; that of one is an id."""
    store = store_in(tmp_path / "a", root=tmp_path)
    theirs = tmp_path / "notes.txt"
    theirs.write_text("precious")
    session_id = spoken(store)
    with pytest.raises(NotFound, match="no session"):
        store.delete(str(theirs))
    assert theirs.read_text() == "precious"
    assert names(tmp_path) == ["a", "notes.txt"]
    assert store.delete(store.find(session_id)) == session_id


def test_deleting_what_is_not_there(tmp_path: Path) -> None:
    """An unknown id is not found, in the folder and in the trash."""
    store = store_in(tmp_path)
    with pytest.raises(NotFound):
        store.delete("sess_nope")
    with pytest.raises(NotFound, match="list_trash"):
        store.restore("sess_nope")


def test_every_error_has_its_code() -> None:
    """The codes are those of the contract, one a kind."""
    codes = {each.code for each in SessionError.__subclasses__()}
    assert codes == {
        "not_found",
        "ambiguous",
        "invalid_field",
        "session_corrupt",
        "session_version",
        "session_locked",
        "session_superseded",
        "no_session_store",
        "io",
    }
