"""Who may write: one owner at a time, and what becomes of one who has lost the right. Time is given."""

from __future__ import annotations

import asyncio
import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from agent_sessions import CWD, MODEL, NOBODY, Clock, kinds, names, say, store_in, texts

from beyond_agent.sessions import lease as lease_module
from beyond_agent.sessions.errors import NotFound, SessionIO, SessionLocked, SessionRemoved, SessionSuperseded
from beyond_agent.sessions.processes import space, start_of


def leased(folder: Path, **more: Any) -> tuple[Any, str, Path]:
    """Return a store, the id of a session in it that nobody has, and the path of its lease."""
    store = store_in(folder, **more)
    stored = store.create(CWD, MODEL)
    say(stored, "hello")
    stored.close()
    return store, stored.id, Path(f"{stored.path}.lease")


def holder(**more: Any) -> bytes:
    return msgspec.json.encode({**NOBODY, "heartbeat": "2026-01-02T03:04:05.000Z", **more})


def test_a_lease_says_who_writes(tmp_path: Path) -> None:
    """It has owner, process, its start, host, generation and heartbeat, and is gone with a clean end."""
    store, session_id, path = leased(tmp_path, owner="beyond-ai-agent run")
    assert not path.exists()
    stored = store.open(session_id)
    told = msgspec.json.decode(path.read_bytes())
    assert told == {
        "owner": "beyond-ai-agent run",
        "pid": os.getpid(),
        "start": start_of(os.getpid()),
        "host": os.uname().nodename,
        "space": space(),
        "generation": 1,
        "heartbeat": told["heartbeat"],
    }
    assert path.stat().st_mode & 0o777 == 0o600
    stored.close()
    assert not path.exists()


def test_a_second_writer_is_told_of_the_first(tmp_path: Path) -> None:
    """`session_locked` names the owner and how to take over; reading is not refused."""
    store, session_id, _ = leased(tmp_path, owner="serve of somebody")
    first = store.open(session_id)
    with pytest.raises(SessionLocked, match=rf"serve of somebody \(process {os.getpid()} on .*--takeover") as caught:
        store.open(session_id)
    assert caught.value.code == "session_locked"
    assert texts(store.read(session_id)) == ["hello"]
    first.close()
    store.open(session_id).close()


def test_a_takeover_ends_the_first_writer(tmp_path: Path) -> None:
    """The generation rises; the old writer writes not one more line, and does not give up what is no longer his."""
    store, session_id, path = leased(tmp_path)
    first = store.open(session_id)
    second = store.open(session_id, takeover=True)
    assert msgspec.json.decode(path.read_bytes())["generation"] == 2
    before = kinds(first)
    first.session.user("too late")
    for attempt in (
        lambda: asyncio.run(first.checkpoint("prompt", first.session)),
        lambda: first.rename("x"),
        lambda: asyncio.run(first.end_run("done")),
    ):
        with pytest.raises(SessionSuperseded) as caught:
            attempt()
        assert caught.value.code == "session_superseded"
    assert first.superseded
    assert not first.renew()
    assert kinds(first) == before
    first.close()
    say(second, "mine")
    assert not second.superseded
    assert texts(second) == ["hello", "mine"]
    second.close()
    assert not path.exists()


def test_what_was_taken_over_and_closed_says_so_to_its_readers(tmp_path: Path) -> None:
    """A reader of it is told of the takeover, and of nothing that is wrong with the disk."""
    store, session_id, _ = leased(tmp_path)
    first = store.open(session_id)
    second = store.open(session_id, takeover=True)
    assert not first.renew()
    assert [node.preview for node in first.tree()[0] if node.role] == ["hello"]
    first.close()
    with pytest.raises(SessionSuperseded, match="open it again"):
        first.tree()
    second.close()


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_session_whose_file_was_removed_says_so(tmp_path: Path, what: str) -> None:
    """What is stored nowhere is not called stored, nor taken over, whether the file is gone or its whole folder."""
    store, session_id, path = leased(tmp_path / "kept")
    stored = store.open(session_id)
    if what == "file":
        Path(str(stored.path)).unlink()
    else:
        shutil.rmtree(path.parent)
    assert stored.renew()
    stored.session.user("more")
    with pytest.raises(SessionRemoved, match="was removed while it was in use"):
        asyncio.run(stored.checkpoint("prompt", stored.session))
    assert not stored.superseded
    stored.close()


def test_renewing_never_undoes_a_takeover(tmp_path: Path) -> None:
    """An owner that renews late writes nowhere, and learns that he has lost the session."""
    store, session_id, path = leased(tmp_path)
    first = store.open(session_id)
    second = store.open(session_id, takeover=True)
    told = path.read_bytes()
    assert not first.renew()
    assert path.read_bytes() == told
    assert second.renew()
    assert path.read_bytes() != told
    assert msgspec.json.decode(path.read_bytes())["generation"] == 2
    first.close()
    second.close()


def test_keeping_a_lease(tmp_path: Path) -> None:
    """It is renewed every 15 s until another writer has it."""
    store, session_id, path = leased(tmp_path)
    first = store.open(session_id)
    pauses: list[float] = []
    beats: set[str] = set()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        beats.add(msgspec.json.decode(path.read_bytes())["heartbeat"])
        if len(pauses) == 3:
            path.unlink()

    asyncio.run(first.keep_lease(pause))
    assert pauses == [15.0] * 3
    assert len(beats) == 3
    assert first.superseded
    first.close()


@pytest.mark.parametrize(("seconds", "taken"), [(44, False), (46, True)])
def test_a_lease_is_stale_after_45_seconds(tmp_path: Path, seconds: int, *, taken: bool) -> None:
    """A holder on another host that did not renew for so long has lost it, and not before."""
    clock = Clock()
    store, session_id, path = leased(tmp_path, clock=clock)
    path.write_bytes(holder(heartbeat=f"{clock.now:%Y-%m-%dT%H:%M:%S}.000Z"))
    clock.now += timedelta(seconds=seconds - 1)
    if not taken:
        with pytest.raises(SessionLocked, match=r"somebody \(process 0 on elsewhere\)"):
            store.open(session_id)
        return
    stored = store.open(session_id)
    assert msgspec.json.decode(path.read_bytes())["generation"] == 8
    stored.close()


@pytest.mark.parametrize(
    ("pid", "start", "taken"),
    [(os.getpid(), "", False), (os.getpid(), "1", True), (1 << 22, "1", True), (os.getppid(), "", False)],
)
def test_a_process_that_is_gone_holds_nothing(tmp_path: Path, pid: int, start: str, *, taken: bool) -> None:
    """On this host a lease of a process that is gone, or whose number is another's now, is free at once."""
    clock = Clock()
    store, session_id, path = leased(tmp_path, clock=clock)
    fresh = f"{clock.now:%Y-%m-%dT%H:%M:%S}.000Z"
    path.write_bytes(holder(pid=pid, start=start, host=os.uname().nodename, space=space(), heartbeat=fresh))
    if taken:
        store.open(session_id).close()
    else:
        with pytest.raises(SessionLocked):
            store.open(session_id)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b'{"owner":1}'])
def test_a_damaged_lease_holds_while_it_is_fresh(tmp_path: Path, text: bytes) -> None:
    """Nobody knows whose it is, so it counts for 45 s from its last change; a takeover goes through at once."""
    clock = Clock()
    store, session_id, path = leased(tmp_path, clock=clock)
    path.write_bytes(text)
    at = clock.now.timestamp()
    os.utime(path, (at, at))
    with pytest.raises(SessionLocked, match="somebody unknown"):
        store.open(session_id)
    store.open(session_id, takeover=True).close()
    path.write_bytes(text)
    os.utime(path, (at - 60, at - 60))
    store.open(session_id).close()


@pytest.mark.parametrize("heartbeat", ["", "yesterday", "2026-01-02T03:04:05", "2026-01-02"])
def test_a_lease_whose_time_cannot_be_compared_holds_nothing(tmp_path: Path, heartbeat: str) -> None:
    """A time that is none, or has no zone, keeps nobody out."""
    store, session_id, path = leased(tmp_path)
    path.write_bytes(holder(heartbeat=heartbeat))
    store.open(session_id).close()


def test_a_session_that_was_moved_away_meanwhile(tmp_path: Path) -> None:
    """Who opened a file that is then deleted gets no lease on it, and leaves none."""
    store, session_id, path = leased(tmp_path)
    session = store.find(session_id)
    fd = os.open(session, os.O_RDWR)
    store.delete(session_id)
    with pytest.raises(NotFound, match="moved away"):
        lease_module.take(session, fd, owner="x", clock=Clock())
    os.close(fd)
    assert not path.exists()


def test_takers_go_one_at_a_time(tmp_path: Path) -> None:
    """While somebody else is just taking it, a taker waits, and then says so."""
    import fcntl

    store, session_id, _ = leased(tmp_path)
    session = store.find(session_id)
    other, mine = os.open(session, os.O_RDWR), os.open(session, os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(SessionLocked, match="just opening it"):
        lease_module.take(session, mine, owner="x", clock=Clock(), wait_s=0.02)
    os.close(other)
    lease_module.take(session, mine, owner="x", clock=Clock(), wait_s=0.02).release(mine)
    os.close(mine)


def test_a_lease_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk while a lease is taken is an error that names it; no half lease stays, and the file is closed."""
    store, session_id, path = leased(tmp_path)
    before, open_before = names(tmp_path), len(list(Path("/proc/self/fd").iterdir()))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(SessionIO, match=f"cannot write {path}: No space left on device"):
        store.open(session_id)
    monkeypatch.undo()
    assert names(tmp_path) == before
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
    stored = store.open(session_id)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(SessionIO, match="cannot renew"):
        stored.renew()
    monkeypatch.undo()
    stored.close()
