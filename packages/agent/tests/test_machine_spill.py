from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest

from beyond_agent.machine.spill import KEPT_S, MOST_BYTES, Spills, sweep

WEEK = 7 * 24 * 3600.0


def mode(path: Path | str) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


def folders(root: Path) -> list[Path]:
    return sorted(root.glob("beyond-ai-*"))


def aged(root: Path, name: str, stamp: float, *files: str) -> Path:
    """Make a folder of spilled output, and files in it, last changed at `stamp`."""
    folder = root / name
    folder.mkdir()
    for file in files:
        (folder / file).write_bytes(b"x")
        os.utime(folder / file, (stamp, stamp))
    os.utime(folder, (stamp, stamp))
    return folder


def test_folder_is_made_when_first_needed(tmp_path: Path) -> None:
    """There is no folder before the first file, and one for all files after it."""
    spills = Spills(str(tmp_path))
    assert folders(tmp_path) == []
    paths = [spills.open("bash").path for _ in range(3)]
    (folder,) = folders(tmp_path)
    assert len(set(paths)) == 3
    assert all(Path(path).parent == folder for path in paths)


@pytest.mark.parametrize("mask", [0, 0o077, 0o022])
def test_folder_and_files_are_the_owners_alone(tmp_path: Path, mask: int) -> None:
    """The folder is 0700 and its files 0600, whatever the umask allows."""
    before = os.umask(mask)
    try:
        path = Spills(str(tmp_path)).open("bash").path
    finally:
        os.umask(before)
    assert [mode(folders(tmp_path)[0]), mode(path)] == [0o700, 0o600]


def test_tmpdir_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is in TMPDIR, and in /tmp where that is not set; its name is beyond-ai- and random."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert Spills().open("bash").path.startswith(f"{tmp_path}/beyond-ai-")
    monkeypatch.delenv("TMPDIR")
    path = Path(Spills().open("bash").path)
    assert str(path).startswith("/tmp/beyond-ai-")  # noqa: S108 - where it has to be
    path.unlink()
    path.parent.rmdir()
    Spills(str(tmp_path)).open("bash")
    assert len(folders(tmp_path)) == 2


def test_file_holds_what_is_written(tmp_path: Path) -> None:
    """Pieces come one behind the other, and `written` counts them."""
    spill = Spills(str(tmp_path)).open("bash")
    for piece in (b"one", b"", b"\0\xff"):
        spill.write(piece)
    assert spill.written == 5
    assert Path(spill.path).read_bytes() == b"one\0\xff"


def test_file_stops_at_its_bound(tmp_path: Path) -> None:
    """A file takes 1 GiB by default; what is beyond the bound is left out, and `written` tells."""
    assert MOST_BYTES == 1024**3
    spill = Spills(str(tmp_path), most_bytes=5).open("bash")
    for piece in (b"abc", b"defg", b"h"):
        spill.write(piece)
    assert spill.written == 5
    assert Path(spill.path).read_bytes() == b"abcde"


def test_closed_file_takes_no_more(tmp_path: Path) -> None:
    """Closing twice is harmless, writing behind it is not."""
    spill = Spills(str(tmp_path)).open("bash")
    spill.close()
    spill.close()
    with pytest.raises(ValueError, match="closed"):
        spill.write(b"x")


def test_disk_that_takes_no_more_is_told(tmp_path: Path) -> None:
    """What the disk does not take is an OSError, and `written` counts what it took."""
    spill = Spills(str(tmp_path)).open("bash")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            spill.write(b"abcdef")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert spill.written == 4
    assert Path(spill.path).read_bytes() == b"abcd"


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A temporary directory that is none gives an OSError that names what could not be made."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError) as caught:
        Spills(str(tmp_path / "file")).open("bash")
    assert str(caught.value.filename).startswith(f"{tmp_path}/file/beyond-ai-")


def test_folder_that_was_swept_is_made_anew(tmp_path: Path) -> None:
    """A process that was silent for a week finds its folder gone, and makes another."""
    spills = Spills(str(tmp_path))
    first = Path(spills.open("bash").path)
    first.unlink()
    first.parent.rmdir()
    second = Path(spills.open("bash").path)
    assert second.exists()
    assert first.parent != second.parent


def test_old_folders_are_removed(tmp_path: Path) -> None:
    """Folders whose last change is older than 7 days go with their files; younger ones stay."""
    now = 1_800_000_000.0
    assert KEPT_S == WEEK
    old = aged(tmp_path, "beyond-ai-0000000000000000", now - WEEK - 1, "bash-1.log", "bash-2.log")
    empty = aged(tmp_path, "beyond-ai-0000000000000001", now - WEEK - 1)
    young = aged(tmp_path, "beyond-ai-0000000000000002", now - WEEK + 1, "bash-1.log")
    Spills(str(tmp_path), now=lambda: now).open("bash")
    assert [old.exists(), empty.exists(), young.exists()] == [False, False, True]


def test_folder_with_a_young_file_stays(tmp_path: Path) -> None:
    """A file that was written lately keeps its whole folder, whose own stamp is that of its last new name."""
    folder = aged(tmp_path, "beyond-ai-0000000000000000", 1000.0, "bash-1.log", "bash-2.log")
    os.utime(folder / "bash-2.log", (3000.0, 3000.0))
    sweep(str(tmp_path), 2000.0)
    assert len(list(folder.iterdir())) == 2


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """Other names, links, folders in folders and folders of other users are left alone."""
    others = [
        aged(tmp_path, "beyond-ai-notes", 1000.0, "a"),
        aged(tmp_path, "x-beyond-ai-0000000000000000", 1000.0, "a"),
        aged(tmp_path, "target", 1000.0, "a"),
    ]
    link = tmp_path / "beyond-ai-0000000000000001"
    link.symlink_to(others[-1])
    nested = aged(tmp_path, "beyond-ai-0000000000000002", 1000.0)
    (nested / "inner").mkdir()
    os.utime(nested, (1000.0, 1000.0))
    held = aged(tmp_path, "beyond-ai-0000000000000003", 1000.0)
    (held / "link").symlink_to(others[-1] / "a")
    os.utime(held, (1000.0, 1000.0))
    if os.geteuid() == 0:
        others.append(aged(tmp_path, "beyond-ai-0000000000000004", 1000.0, "a"))
        os.chown(others[-1], 65534, 65534)
    sweep(str(tmp_path), 2000.0)
    assert all((folder / "a").exists() for folder in others)
    assert link.is_symlink()
    assert nested.is_dir()
    assert held.is_dir()


def test_sweep_of_nothing_is_harmless(tmp_path: Path) -> None:
    """A root that is missing is no error of a sweep."""
    sweep(str(tmp_path / "missing"), 1.0)
