"""Sessions under several processes: owners that die, stop or are outrun, full disks, and large files."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import agent_session_child
import msgspec
import pytest
from agent_sessions import CWD, MODEL, answer, kinds, say, texts

from beyond_agent.sessions.entries import CompactionEntry, Header, line_of, message_line
from beyond_agent.sessions.errors import SessionLocked
from beyond_agent.sessions.store import SessionStore
from beyond_wire.types import user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Start = Callable[..., Popen[bytes]]

pytestmark = pytest.mark.e2e
CHILD = agent_session_child.__file__


@pytest.fixture
def start() -> Iterator[Start]:
    """Give what starts a child; all of them are gone at the end."""
    children: list[Popen[bytes]] = []

    def started(mode: str, *given: object) -> Popen[bytes]:
        child = Popen([sys.executable, CHILD, mode, *map(str, given)], stdin=PIPE, stdout=PIPE)
        children.append(child)
        return child

    yield started
    for child in children:
        child.kill()
        child.communicate()


def word(child: Popen[bytes]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().decode().strip()


def rest(child: Popen[bytes]) -> list[str]:
    """Return what a child says until it is gone."""
    assert child.stdout is not None
    told = child.stdout.read().decode().splitlines()
    child.wait()
    return told


def order(child: Popen[bytes], line: str) -> str:
    """Have a holder write a line; return what it says."""
    assert child.stdin is not None
    child.stdin.write(f"{line}\n".encode())
    child.stdin.flush()
    return word(child)


def spoken(folder: Path) -> tuple[SessionStore, str]:
    store = SessionStore(folder, owner="this one")
    stored = store.create(CWD, MODEL, "t")
    say(stored, "hello")
    stored.close()
    return store, stored.id


def test_a_second_writer_waits_for_the_death_of_the_first(tmp_path: Path, start: Start) -> None:
    """The second gets `session_locked` with the owner; after `kill -9` of that one it gets the session at once."""
    store, session_id = spoken(tmp_path)
    child = start("hold", tmp_path, session_id)
    assert word(child) == "open"
    with pytest.raises(SessionLocked, match=rf"the other \(process {child.pid} on "):
        store.open(session_id)
    assert order(child, "his") == "written"
    child.send_signal(signal.SIGKILL)
    child.wait()
    stored = store.open(session_id)
    assert stored.title == "his"
    say(stored, "mine")
    stored.close()


def test_a_killed_owner_that_nobody_has_waited_for(tmp_path: Path, start: Start) -> None:
    """A zombie holds nothing: it is free before its parent has looked."""
    store, session_id = spoken(tmp_path)
    child = start("hold", tmp_path, session_id)
    assert word(child) == "open"
    os.kill(child.pid, signal.SIGKILL)
    assert word(child) == ""
    until = time.monotonic() + 60
    while True:
        try:
            stored = store.open(session_id)
            break
        except SessionLocked:
            # Its output closes a moment before it is a zombie.
            assert time.monotonic() < until
    assert child.returncode is None
    stored.close()


def test_a_takeover_from_a_live_owner(tmp_path: Path, start: Start) -> None:
    """The old writer stops before its next line; no line of either is lost or mixed."""
    store, session_id = spoken(tmp_path)
    child = start("write", tmp_path, session_id, "old")
    while word(child) != "20":
        pass
    stored = store.open(session_id, takeover=True)
    for number in range(50):
        stored.book.add_message(user(f"new {number}"))
    told = rest(child)
    assert told[-1].startswith("session_superseded: ")
    stored.close()
    again = store.open(session_id)
    assert again.skipped.count == 0
    written = [node.preview for node in again.tree(limit=100_000)[0]]
    last = int(told[-2]) if len(told) > 1 else 20
    old = [text for text in written if text.startswith("old")]
    assert old[: last + 1] == [f"old {number}" for number in range(last + 1)]
    assert [text for text in written if text.startswith("new")] == [f"new {number}" for number in range(50)]
    # One line may have been between its check and its write.
    assert len(old) <= last + 2
    assert texts(again)[-50:] == [f"new {number}" for number in range(50)]
    again.close()


def test_a_takeover_from_a_stopped_owner(tmp_path: Path, start: Start) -> None:
    """An owner that was stopped and goes on later writes not one line more."""
    store, session_id = spoken(tmp_path)
    child = start("hold", tmp_path, session_id)
    assert word(child) == "open"
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(SessionLocked):
        store.open(session_id)
    stored = store.open(session_id, takeover=True)
    say(stored, "mine")
    assert child.stdin is not None
    child.stdin.write(b"late\n")
    child.stdin.flush()
    os.kill(child.pid, signal.SIGCONT)
    assert word(child).startswith("session_superseded: ")
    child.wait()
    assert stored.renew()
    assert kinds(stored) == ["session", "message", "message"]
    stored.close()


def test_killed_while_it_writes(tmp_path: Path, start: Start) -> None:
    """A log whose writer is killed at any moment has all that was told of, and takes the next line."""
    store, session_id = spoken(tmp_path)
    total = 0
    for run in range(3):
        child = start("write", tmp_path, session_id, f"run{run}")
        while word(child) != "30":
            pass
        child.kill()
        last = int((rest(child) or ["30"])[-1])
        stored = store.open(session_id)
        assert stored.skipped.count == 0
        total += last + 1
        assert len(stored.session.messages) in range(total + 1, total + run + 3)
        total = len(stored.session.messages) - 1
        assert stored.last_outcome == "crashed"
        stored.close()


def test_fifty_processes_at_once(tmp_path: Path, start: Start) -> None:
    """In one directory, each with a session of its own: all load, and each is listed."""
    ids = set(rest(start("crowd", tmp_path)))
    assert len(ids) == 50
    store = SessionStore(tmp_path)
    page = store.list_sessions()
    assert {each.id for each in page.sessions} == ids
    assert {(each.cwd, each.preview) for each in page.sessions} == {(f"/work/{at}", str(at)) for at in range(50)}
    for session_id in ids:
        stored = store.open(session_id)
        assert (stored.skipped.count, len(texts(stored))) == (0, 1)
        stored.close()
    assert all(path.suffix == ".jsonl" for path in tmp_path.iterdir())


def test_fifty_processes_that_want_one_session(tmp_path: Path, start: Start) -> None:
    """All ask for one id: one makes it, each writes its line once it is free, and none is lost."""
    told = rest(start("crowd", tmp_path, "build-1"))
    assert sorted(told) == sorted(map(str, range(50)))
    assert [path.name.partition("_")[2] for path in tmp_path.iterdir()] == ["build-1.jsonl"]
    stored = SessionStore(tmp_path).open("build-1")
    assert sorted(texts(stored)) == sorted(told)
    assert stored.skipped.count == 0
    stored.close()


@pytest.mark.parametrize("most", [600, 601, 777, 1500])
def test_a_full_disk(tmp_path: Path, start: Start, most: int) -> None:
    """It ends in an error that names the file; what was written before is there, and the log takes the next line."""
    child = start("fill", tmp_path, most)
    session_id, *numbers, fault = rest(child)
    assert fault.startswith(f"io: cannot write {tmp_path}/")
    assert "make room" in fault
    stored = SessionStore(tmp_path).open(session_id)
    assert Path(stored.path or "").stat().st_size <= most
    # A line that lacks its end only is there, and is told of by the next run.
    assert [text.partition(" ")[0] for text in texts(stored)][: len(numbers)] == numbers
    say(stored, "more")
    stored.close()
    again = SessionStore(tmp_path).open(session_id)
    assert texts(again)[-1] == "more"
    assert again.skipped.count <= 1
    again.close()


def test_killed_between_header_and_announcement(tmp_path: Path, start: Start) -> None:
    """Whenever its maker dies, an id is announced with its header on the disk, and the next one gets the session."""
    told = [line.partition(" ")[::2] for line in rest(start("deaths", tmp_path))]
    for number, announced in told:
        folder = tmp_path / number
        files = [path for path in folder.glob("*.jsonl") if not path.name.startswith(".")]
        assert all(path.read_bytes().endswith(b"}\n") for path in files)
        assert len(files) == 1 or not announced
        store = SessionStore(folder)
        assert store.list_sessions().total == 0
        stored = store.open_or_create("sess_fixed", CWD, MODEL)
        say(stored, "works")
        stored.close()
        assert store.list_sessions().total == 1
    assert told[-1][1] == "sess_fixed"
    assert [announced for _, announced in told].count("") > 10


def heavy(path: Path, *, ended: bool) -> None:
    """Write a session of 100 MB, whose context is its last megabyte."""
    time_of = "2026-01-01T00:00:00.000Z"
    body = "x" * 20_000
    with path.open("wb") as file:
        file.write(line_of(Header(version=1, id="heavy", created_at=time_of, cwd=CWD, model=MODEL)))
        parent: str | None = None
        for number in range(5000):
            entry_id = f"{number:08x}"
            message = answer(body) if number % 2 else user(body)
            file.write(message_line(entry_id, parent, time_of, message))
            parent = entry_id
        compaction = CompactionEntry(
            id="0000ffff",
            parent_id=parent,
            timestamp=time_of,
            mode="summary",
            reason="threshold",
            summary="in short",
            first_kept_id=f"{4951:08x}",
        )
        file.write(line_of(compaction))
        if ended:
            end = {"type": "run_end", "id": "0000fffe", "parent_id": "0000ffff", "timestamp": time_of}
            counts = {"outcome": "done", "steps": 2500, "title": "t", "model": MODEL, "message_count": 5000}
            file.write(msgspec.json.encode({**end, **counts}) + b"\n")


@pytest.mark.parametrize("ended", [True, False])
def test_a_heavy_session(tmp_path: Path, start: Start, capsys: pytest.CaptureFixture[str], *, ended: bool) -> None:
    """A file of 100 MB whose context is 1 MB opens within 64 MiB; the time is printed."""
    heavy(tmp_path / "2026_heavy.jsonl", ended=ended)
    took, before, peak, messages = map(int, word(start("weigh", tmp_path, "heavy")).split())
    with capsys.disabled():
        sys.stdout.write(
            f"\n100 MB session, {ended=}: {took} ms, {before // 1024} MiB before, {peak // 1024} MiB at most\n"
        )
    assert messages == 50
    assert peak < 64 * 1024


def test_a_thousand_heavy_sessions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sessions of 10 MB each are listed with what their ends show; the time is printed."""
    store, session_id = spoken(tmp_path)
    text = Path(store.find(session_id)).read_bytes()
    header, rest = text.split(b"\n", 1)
    for at in range(1000):
        path = tmp_path / f"2026_big{at}.jsonl"
        path.write_bytes(header.replace(session_id.encode(), f"big{at}".encode()) + b"\n" + rest)
        with path.open("r+b") as file:
            file.seek(10_000_000)
            file.write(b'\n{"type":"title_change","id":"0000aaaa","parent_id":null,"timestamp":"2027","title":"end"}\n')
    began = time.perf_counter()
    page = store.list_sessions(cwd=CWD, limit=50)
    took = time.perf_counter() - began
    with capsys.disabled():
        sys.stdout.write(f"\n1,000 sessions of 10 MB: listed in {took * 1000:.0f} ms\n")
    assert page.total == 1001
    assert len(page.sessions) == 50
    assert {(each.title, each.preview, each.message_count, each.updated_at) for each in page.sessions} == {
        ("end", "hello", None, "2027")
    }
