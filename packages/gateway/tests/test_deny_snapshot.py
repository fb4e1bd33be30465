"""The snapshot: what it gives back, what it refuses, how it is written."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_gateway.deny import snapshot as module
from beyond_gateway.deny.entries import DenySet, key_of
from beyond_gateway.deny.snapshot import Snapshot, taken, write
from beyond_gateway.deny.snapshot_format import Damaged, columns_of, decode, encode
from beyond_gateway.deny.stream import Mark

if TYPE_CHECKING:
    from pathlib import Path

MARK = Mark("2026-01-31T10:00:00Z", 40, 7)
ENTRIES = st.dictionaries(
    st.integers(-(2**64), 2**64 - 1),
    st.tuples(st.sampled_from([b"spend", b"fraud"]), st.none() | st.integers(0, 2**40)),
    max_size=12,
)


class Lines:
    """Takes what would be logged."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def info(self, message: str, **_: Any) -> None:
        raise AssertionError(message)

    def warning(self, message: str, **fields: Any) -> None:
        self.warnings.append(f"{message}: {fields.get('reason')}")


def deny_set(entries: dict[int, tuple[bytes, int | None]]) -> DenySet:
    denied = DenySet()
    for revision, (entry, (value, end)) in enumerate(entries.items(), 1):
        denied.apply(key_of(entry).encode(), value, revision, end)
    return denied


def sample() -> DenySet:
    return deny_set(
        {1: (b"spend", None), ~2: (b"spend", 50), 2**64 - 1: (b"fraud", 60), ~(2**64 - 1): (b"fraud", None)}
    )


def packed(denied: DenySet, *, bucket: str = "b", mark: Mark | None = MARK) -> bytes:
    return b"".join(encode(columns_of(denied), bucket, denied.revision, mark))


def contents(denied: DenySet) -> tuple[set[int], set[int], dict[int, int], int]:
    return denied.spend, denied.suspended, denied.deadlines, denied.revision


@given(ENTRIES, st.none() | st.just(MARK))
def test_what_is_written_comes_back(entries: dict[int, tuple[bytes, int | None]], mark: Mark | None) -> None:
    """Entries of both kinds, reasons, ends, revision and resume point, over the whole range of numbers."""
    denied = deny_set(entries)
    again, point = decode(packed(denied, mark=mark), "b")
    assert contents(again) == contents(denied)
    assert point == mark


def test_ends_still_come_after_a_restart() -> None:
    """An entry from a snapshot is dropped in its second like any other."""
    again, _ = decode(packed(sample()), "b")
    assert (again.expire(49), again.expire(50), again.expire(60), len(again)) == (0, 1, 1, 2)


def test_every_torn_snapshot_is_refused() -> None:
    """Cut at any byte, or with anything behind it, it is damaged, never an error of another kind and never a set."""
    data = packed(sample())
    for length in range(len(data)):
        with pytest.raises(Damaged):
            decode(data[:length], "b")
    with pytest.raises(Damaged):
        decode(data + b"\0", "b")


def test_every_flipped_bit_of_the_numbers_is_noticed() -> None:
    """The checksum covers all that follows the first line."""
    data = packed(sample())
    for at in range(data.index(b"\n") + 1, len(data)):
        for bit in range(8):
            with pytest.raises(Damaged):
                decode(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :], "b")


def test_every_overwritten_byte_of_the_first_line_is_survived() -> None:
    """A line that can still be read may still be used, but nothing raises another error."""
    data = packed(sample())
    for at in range(data.index(b"\n") + 1):
        for byte in (0, 0x20, 0x39, 0x7B, 0xFF):
            changed = bytearray(data)
            changed[at] = byte
            try:
                again, _ = decode(bytes(changed), "b")
            except Damaged:
                continue
            assert contents(again)[:2] == contents(sample())[:2]


@pytest.mark.parametrize("line", [b'{"version":2,', b'{"version":1,"bucket":"other",'])
def test_another_bucket_or_version_is_refused(line: bytes) -> None:
    """A set of somebody else's entries is not ours."""
    head, rest = (b'{"version":1,', b'{"version":1,"bucket":"b",')[line.count(b"bucket")], packed(sample())
    assert rest.startswith(head)
    with pytest.raises(Damaged, match="bucket or version"):
        decode(line + rest[len(head) :], "b")


def test_counts_that_lie_are_refused() -> None:
    """Counts must add up to the numbers that are there, and each end belong to an entry."""
    data = packed(sample())
    for good, bad in ((b"[1,1,1,1,2,2]", b"[1,1,1,1,3,1]"), (b"[1,1,1,1,2,2]", b"[9,-7,1,1,2,2]")):
        assert good in data
        with pytest.raises(Damaged):
            decode(data.replace(good, bad), "b")


def test_an_entry_that_ends_twice_is_refused() -> None:
    """Two ends of one entry would be one too many when its second comes."""
    columns = columns_of(sample())
    columns[4].append(columns[4][0])
    columns[5].append(columns[5][0] + 2)
    with pytest.raises(Damaged, match="ends twice"):
        decode(b"".join(encode(columns, "b", 4, MARK)), "b")


def test_a_file_is_written_whole_for_its_owner_only(tmp_path: Path) -> None:
    """Mode 0600, nothing left beside it, and the old one in place where the new one cannot be written."""
    path = tmp_path / "deny.snapshot"
    write(path, [b"old"])
    write(path, [b"ne", memoryview(b"w")])
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["deny.snapshot"]
    with pytest.raises(OSError, match="nowhere"):
        write(tmp_path / "nowhere" / "deny.snapshot", [b"x"])


@pytest.mark.parametrize(
    ("data", "warning"),
    [
        (b"", "snapshot is not used: its first line cannot be read"),
        (b"\xff\x00", "snapshot is not used: its first line cannot be read"),
        (packed(sample())[:-1], "snapshot is not used: it is torn or corrupt"),
        (packed(sample(), bucket="other"), "snapshot is not used: it is of another bucket or version"),
    ],
)
def test_a_damaged_file_is_a_warning_and_no_set(tmp_path: Path, data: bytes, warning: str) -> None:
    """It is said why, once, and the gateway goes on without."""
    path = tmp_path / "s"
    path.write_bytes(data)
    lines: Any = Lines()
    assert Snapshot(path, "b", writes=True).load(lines) is None
    assert lines.warnings == [warning]


def test_no_file_is_no_matter(tmp_path: Path) -> None:
    """The first start has none: no warning. A path that cannot be read has one."""
    lines: Any = Lines()
    assert Snapshot(tmp_path / "s", "b", writes=True).load(lines) is None
    assert lines.warnings == []
    assert Snapshot(tmp_path, "b", writes=True).load(lines) is None
    assert lines.warnings == ["snapshot cannot be read: Is a directory"]


def test_a_set_that_changes_meanwhile_is_taken_as_it_is_at_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that come and go between two slices make it begin again, and in the end it is taken in one piece."""
    monkeypatch.setattr(module, "SLICE", 2)

    async def scenario(changes: int) -> None:
        denied = deny_set({number: (b"spend", 99 if number % 2 else None) for number in range(9)})

        async def disturb() -> None:
            for number in range(changes):
                denied.apply(b"blackhole.%d" % (100 + number), b"fraud", denied.revision + 1)
                denied.remove(b"blackhole.%d" % number, denied.revision + 1)
                await asyncio.sleep(0)

        disturbing = asyncio.ensure_future(disturb())
        columns = await taken(denied)
        expected = columns_of(denied)
        assert [sorted(column) for column in columns] == [sorted(column) for column in expected]
        await disturbing

    for changes in (0, 3, 500):
        asyncio.run(scenario(changes))


def test_the_last_change_is_on_disk_when_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change is written after its quiet time; one that has not waited so long yet is written at the end."""
    monkeypatch.setattr(module, "QUIET_S", 0.01)
    path = tmp_path / "s"

    async def scenario() -> None:
        denied = DenySet()
        lines: Any = Lines()
        keeping = asyncio.ensure_future(Snapshot(path, "b", writes=True).keep(denied, lambda: MARK, lines))
        await asyncio.sleep(0)
        denied.apply(b"blackhole.1", b"spend", 1)
        async with asyncio.timeout(5):
            while not path.exists():  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.005)
        assert contents(decode(path.read_bytes(), "b")[0]) == contents(denied)
        denied.apply(b"blackhole.2", b"fraud", 2)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        assert contents(decode(path.read_bytes(), "b")[0]) == contents(denied)

    asyncio.run(scenario())


def test_a_worker_that_does_not_write_leaves_the_file_alone(tmp_path: Path) -> None:
    """One worker of several writes; the others end their keeping at once."""
    lines: Any = Lines()
    path = tmp_path / "s"
    asyncio.run(Snapshot(path, "b", writes=False).keep(sample(), lambda: None, lines))
    assert not path.exists()


def test_a_disk_that_refuses_is_a_warning_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The set goes on without a file; the log says so once, not for every change."""
    monkeypatch.setattr(module, "QUIET_S", 0.001)
    lines: Any = Lines()

    async def scenario() -> None:
        denied = DenySet()
        keeping = asyncio.ensure_future(
            Snapshot(tmp_path / "no" / "s", "b", writes=True).keep(denied, lambda: None, lines)
        )
        for revision in range(1, 4):
            denied.apply(b"blackhole.1", b"spend", revision)
            await asyncio.sleep(0.02)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    asyncio.run(scenario())
    assert lines.warnings == ["snapshot cannot be written: No such file or directory"]
