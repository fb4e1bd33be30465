"""The file itself: its lines, what damage costs, and who is refused."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from agent_sessions import CWD, MODEL, answer, call, ended, kinds, lines, names, results, say, spy, store_in, texts
from msgspec.structs import replace

from beyond_agent.sessions.errors import NotFound, SessionCorrupt, SessionIO, SessionVersion
from beyond_wire.types import user

if TYPE_CHECKING:
    from beyond_agent.sessions.stored import StoredSession


def talk(folder: Path) -> StoredSession:
    stored = store_in(folder).create(CWD, MODEL, "a title")
    say(stored, "one", answer("two", call("c1")), results("c1", "three"), answer("four"))
    return ended(stored)


def test_a_file_has_the_fields_of_the_contract(tmp_path: Path) -> None:
    """The header and each line have exactly the fields that the contract names, and the file is its owner's alone."""
    stored = talk(tmp_path)
    path = Path(stored.path or "")
    assert path.name == f"2026-01-02T03:04:06.000Z_{stored.id}.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    header, *rest = lines(stored)
    assert header == {
        "type": "session",
        "version": 1,
        "id": stored.id,
        "created_at": "2026-01-02T03:04:06.000Z",
        "cwd": CWD,
        "model": MODEL,
        "title": "a title",
    }
    assert all(list(line)[:4] == ["type", "id", "parent_id", "timestamp"] for line in rest)
    assert rest[0] == {
        "type": "message",
        "id": rest[0]["id"],
        "parent_id": None,
        "timestamp": rest[0]["timestamp"],
        "role": "user",
        "content": [{"type": "text", "text": "one"}],
    }
    assert rest[1]["parent_id"] == rest[0]["id"]
    assert rest[1]["usage"]["input_tokens"] == 10
    assert (rest[1]["model_id"], rest[1]["stop_reason"]) == (MODEL, "tool_use")
    stored.close()


def test_an_end_of_a_run_has_the_totals(tmp_path: Path) -> None:
    """`run_end` says how the run ended, and what the session had used by then."""
    stored = talk(tmp_path)
    end = lines(stored)[-1]
    assert {name: value for name, value in end.items() if name not in ("id", "parent_id", "timestamp")} == {
        "type": "run_end",
        "outcome": "done",
        "steps": 2,
        "title": "a title",
        "model": MODEL,
        "message_count": 4,
        "input_tokens": 20,
        "output_tokens": 2,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "cache_write_1h_tokens": 0,
        "reasoning_tokens": 0,
    }
    stored.close()


def test_ids_are_time_ordered(tmp_path: Path) -> None:
    """An id is `sess_` and 22 hex digits, and a later session has a greater one."""
    store = store_in(tmp_path)
    made = [store.create(CWD, MODEL) for _ in range(3)]
    ids = [each.id for each in made]
    assert ids == sorted(ids)
    assert all(len(each) == 27 and int(each.removeprefix("sess_"), 16) for each in ids)
    for each in made:
        each.close()


def test_cut_at_every_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log cut at any byte behind its header loads, lacks at most the last record, and takes a whole next line."""
    monkeypatch.setattr(os, "fsync", str)  # the machine does not go down here, and a disk is slow
    whole = talk(tmp_path / "whole")
    text = Path(whole.path or "").read_bytes()
    whole.close()
    path = tmp_path / "cut.jsonl"
    for end in range(text.index(b"\n"), len(text) + 1):
        path.write_bytes(text[:end])
        stored = store_in(tmp_path).open(str(path))
        complete = [line for line in text[:end].split(b"\n")[1:] if _is_json(line)]
        assert len(stored.book.outline.tree) == len(complete), end
        say(stored, "next")
        stored.close()
        again = store_in(tmp_path).open(str(path))
        assert texts(again)[-1] == "next", end
        assert path.read_bytes().startswith(text[:end])
        assert again.skipped.count == (0 if _is_json(text[:end].split(b"\n")[-1] or b"{}") else 1)
        again.close()


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except msgspec.DecodeError:
        return False


@pytest.mark.parametrize(
    "bad",
    [
        b"\x00\xff\xfe garbage",
        b"{",
        b"[1]",
        b"null",
        b"",
        b'{"type":"message"}',
        b'{"type":"message","id":"zz","parent_id":null,"timestamp":""}',
        b'{"type":"message","id":"123456789","parent_id":null,"timestamp":""}',
        b'{"type":"message","id":"-0000001","parent_id":null,"timestamp":""}',
        b'{"type":"leaf","id":"0000dddd","parent_id":null,"timestamp":"","target_id":"0000eeee"}',
        b'{"a":' * 3000,
    ],
)
def test_garbage_in_the_middle(tmp_path: Path, bad: bytes) -> None:
    """A bad line costs itself, and is reported with its place; everything else is there."""
    stored = talk(tmp_path)
    path = Path(stored.path or "")
    stored.close()
    text = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*text[:3], bad, b"\n", *text[3:]]))
    again = store_in(tmp_path).open(str(path))
    assert texts(again) == ["one", "two", "three", "four"]
    assert again.skipped.count == (1 if bad else 0)
    assert (f"byte {len(b''.join(text[:3]))}" in str(again.skipped)) == bool(bad)
    assert store_in(tmp_path).list_sessions().total == 1
    again.close()


def test_a_damaged_parent_costs_one_message(tmp_path: Path) -> None:
    """Who follows a line that cannot be read follows the one before it."""
    stored = talk(tmp_path)
    path = Path(stored.path or "")
    stored.close()
    text = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*text[:3], b"#" + text[3][1:], *text[4:]]))
    again = store_in(tmp_path).open(str(path))
    assert texts(again) == ["one", "two", "four"]
    assert again.last_outcome == "done"
    assert "line 4" in str(again.skipped)
    again.close()


def test_a_bad_body_is_left_out(tmp_path: Path) -> None:
    """A line that has its place in the tree, but holds no message, is left out of the context and reported."""
    stored = talk(tmp_path)
    path = Path(stored.path or "")
    stored.close()
    text = path.read_bytes().replace(b'"text":"four"', b'"text":{"no":1}')
    path.write_bytes(text)
    again = store_in(tmp_path).open(str(path))
    assert texts(again) == ["one", "two", "three"]
    assert str(again.skipped).startswith(f"1 line skipped: byte {sum(map(len, text.splitlines(keepends=True)[:4]))}: ")
    again.close()


def test_many_bad_lines_are_counted_and_twenty_named(tmp_path: Path) -> None:
    """A report stays short, however much is damaged."""
    stored = talk(tmp_path)
    stored.close()
    with Path(stored.path or "").open("ab") as file:
        file.write(b"?\n" * 500)
    again = store_in(tmp_path).open(stored.id)
    assert again.skipped.count == 500
    assert str(again.skipped).startswith("500 lines skipped: line 7 at byte ")
    assert str(again.skipped).endswith("; and 480 more")
    again.close()


def test_unknown_kinds_are_kept(tmp_path: Path) -> None:
    """A line of a kind that this program does not know is no bad one; it stays, and is not spoken."""
    stored = talk(tmp_path)
    stored.close()
    path = Path(stored.path or "")
    with path.open("ab") as file:
        file.write(b'{"type":"hologram","id":"0000abcd","parent_id":null,"timestamp":"x","depth":3}\n')
    again = store_in(tmp_path).open(str(path))
    assert (again.skipped.count, len(texts(again))) == (0, 4)
    assert again.tree()[0][-1].type == "hologram"
    again.close()


HEADER: dict[str, Any] = {
    "type": "session",
    "version": 1,
    "id": "sess_x",
    "created_at": "2026-01-01T00:00:00.000Z",
    "cwd": CWD,
    "model": MODEL,
}


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        (b"", SessionCorrupt, "it is empty"),
        (b"\n", SessionCorrupt, "its first line is no header"),
        (b"garbage\n", SessionCorrupt, "its first line is no header"),
        (b"\xff\xfe\n", SessionCorrupt, "its first line is no header"),
        (b"{" * 100_000, SessionCorrupt, "its first line is no header"),
        (msgspec.json.encode({**HEADER, "type": "message"}), SessionCorrupt, "its first line is no header"),
        (msgspec.json.encode({**HEADER, "cwd": 3}), SessionCorrupt, "$.cwd"),
        (msgspec.json.encode({**HEADER, "version": 0}), SessionCorrupt, "its version is 0"),
        (msgspec.json.encode({**HEADER, "version": 2}), SessionVersion, "has version 2, this program knows 1"),
        (b'{"type":"session","version":9}', SessionVersion, "has version 9"),
    ],
)
def test_a_bad_header_is_refused_and_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes, error: type[SessionCorrupt], says: str
) -> None:
    """An empty or bad header, or a newer version, is refused by its name; not a byte or a file changes."""
    path = tmp_path / "bad.jsonl"
    path.write_bytes(text)
    renamed = spy(monkeypatch, "rename")
    for opened in (store_in(tmp_path).open, store_in(tmp_path).read):
        with pytest.raises(error) as caught:
            opened(str(path))
        assert says in str(caught.value)
        assert caught.value.code == ("session_version" if error is SessionVersion else "session_corrupt")
    assert path.read_bytes() == text
    assert names(tmp_path) == ["bad.jsonl"]
    assert renamed == [], "a lease was taken"


def test_unknown_fields_of_a_header_are_ignored(tmp_path: Path) -> None:
    """A header with a field of a later program opens, and is written as it was."""
    path = tmp_path / "more.jsonl"
    path.write_bytes(msgspec.json.encode({**HEADER, "colour": "red"}) + b"\n")
    stored = store_in(tmp_path).open(str(path))
    say(stored, "hello")
    assert lines(stored)[0]["colour"] == "red"
    stored.close()


@pytest.mark.parametrize("path", ["/nowhere/a\0.jsonl", "/nowhere/\ud800.jsonl"])
def test_a_path_that_no_file_can_have_is_not_found(tmp_path: Path, path: str) -> None:
    """A NUL or half a character in a path is no fault of the program."""
    with pytest.raises(NotFound, match="no session at"):
        store_in(tmp_path).open(path)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    """A FIFO, a directory and a missing path are refused at once, each by its name."""
    os.mkfifo(tmp_path / "pipe.jsonl")
    store = store_in(tmp_path)
    with pytest.raises(SessionCorrupt, match="no regular file"):
        store.open(str(tmp_path / "pipe.jsonl"))
    with pytest.raises(SessionCorrupt, match="directory"):
        store.open(f"{tmp_path}/")
    with pytest.raises(NotFound, match="no session at"):
        store.open(str(tmp_path / "missing.jsonl"))


def test_one_write_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The 1000th append is one stat and one write, of that line alone, as the first was; nothing is read."""
    stored = store_in(tmp_path).create(CWD, MODEL)
    writes, stats, reads = (spy(monkeypatch, name) for name in ("write", "stat", "pread"))
    for _ in range(1000):
        stored.book.add_message(user("always the same"))
    size = len(Path(stored.path or "").read_bytes().splitlines(keepends=True)[-1])
    assert len(writes) == 1000
    # The first line's parent is `null`, which is six characters shorter than an id.
    assert [len(text) for _, text in writes] == [size - 6, *[size] * 999]
    assert stats == [(f"{stored.path}.lease",)] * 1000
    assert reads == []
    monkeypatch.undo()
    stored.close()


def shortened(monkeypatch: pytest.MonkeyPatch, end: int) -> None:
    """Have the disk take only a part of each write."""
    real = os.write

    def write(fd: int, text: bytes) -> int:
        return real(fd, text[:end])

    monkeypatch.setattr(os, "write", write)


def test_a_cut_write_is_an_error_and_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that the disk cuts short raises; what was to be written comes whole with the next one."""
    stored = store_in(tmp_path).create(CWD, MODEL)
    say(stored, "one")
    shortened(monkeypatch, 20)
    with pytest.raises(SessionIO) as caught:
        say(stored, "two")
    assert "No space left on device" in str(caught.value)
    assert caught.value.code == "io"
    monkeypatch.undo()
    assert len(say(stored)) == 2
    stored.close()
    again = store_in(tmp_path).open(stored.id)
    assert texts(again) == ["one", "two"]
    assert again.skipped.count == 1
    again.close()


def test_a_line_that_lacks_its_end_only_is_there_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk had room for all but the LF, the line counts, and is not written twice."""
    stored = store_in(tmp_path).create(CWD, MODEL)
    shortened(monkeypatch, -1)
    say(stored, "one")
    monkeypatch.undo()
    say(stored, "two")
    assert [each.preview for each in stored.tree()[0]] == ["one", "two"]
    stored.close()
    again = store_in(tmp_path).open(stored.id)
    assert (texts(again), again.skipped.count) == (["one", "two"], 0)
    again.close()


def test_fsync_at_each_checkpoint_off_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each checkpoint syncs the file in another thread, the first one its folder too."""
    from threading import current_thread, main_thread

    synced: list[bool] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(current_thread() is main_thread())
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    stored = store_in(tmp_path).create(CWD, MODEL)
    stored.session.user("hello")
    for at in ("prompt", "assistant", "results", "end"):
        asyncio.run(stored.checkpoint(at, stored.session))
    assert synced == [False] * 5
    stored.close()


def test_a_closed_session_writes_nothing(tmp_path: Path) -> None:
    """Behind `close` an append is an error: the number of the closed file may be another's."""
    stored = talk(tmp_path)
    stored.close()
    stored.close()
    with pytest.raises(SessionIO):
        stored.rename("late")
    assert kinds(stored)[-1] == "run_end"


def test_lone_surrogates_do_not_stop_a_session(tmp_path: Path) -> None:
    """Half a character, which UTF-8 cannot hold, is written as the replacement character, also in names."""
    store = store_in(tmp_path)
    stored = store.create("/w\udcff", "m\ud800", "t\ud800", "p\ud800")
    say(stored, "a\ud800b")
    stored.rename("t\udcff")
    stored.add_branch_summary(None, "s\ud800")
    say(stored, replace(answer("x"), model_id="m\ud800", error_message="e\ud800"))
    assert lines(stored)[1]["content"][0]["text"] == "a\ufffdb"
    stored.close()
    assert store.newest("/w\udcff") == stored.path
