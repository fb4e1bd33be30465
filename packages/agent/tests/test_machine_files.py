from __future__ import annotations

import errno
import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from beyond_agent.machine.files import LocalFiles
from beyond_agent.seams import Entry, FileChanged

if TYPE_CHECKING:
    from pathlib import Path

FILES = LocalFiles()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    """New content has the mode of the old file, and nothing else is left in the directory."""
    target = tmp_path / "a"
    target.write_bytes(b"old")
    target.chmod(0o6751)
    FILES.replace(str(target), b"new")
    assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (b"new", 0o6751)
    assert names(tmp_path) == ["a"]


def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    """A file of another owner is still that owner's, where the system lets us give it."""
    target = tmp_path / "a"
    target.write_bytes(b"old")
    if os.geteuid() == 0:
        os.chown(target, 4321, 1234)
    before = target.stat()
    FILES.replace(str(target), b"new")
    after = target.stat()
    assert (before.st_uid, before.st_gid) == (after.st_uid, after.st_gid)


def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    """A file that was not there gets what any program's new file gets."""
    old = os.umask(0o027)
    try:
        FILES.replace(str(tmp_path / "a"), b"new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.parametrize("there", [True, False])
def test_the_target_of_a_symlink_is_written(there: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter of the table
    """A link stays a link, one that led nowhere leads to the new file, and the file in work is beside the target."""
    (tmp_path / "far").mkdir()
    if there:
        (tmp_path / "far" / "a").write_bytes(b"old")
    (tmp_path / "link").symlink_to("far/a")
    FILES.replace(str(tmp_path / "link"), b"new")
    assert str((tmp_path / "link").readlink()) == "far/a"
    assert (tmp_path / "far" / "a").read_bytes() == b"new"


def test_a_file_that_changed_since_is_not_replaced(tmp_path: Path) -> None:
    """What was expected is compared just before the file takes its name, and the other's content stays."""
    target = tmp_path / "a"
    target.write_bytes(b"old")
    expected = FILES.info(str(target))
    target.write_bytes(b"abc")
    with pytest.raises(FileChanged):
        FILES.replace(str(target), b"new", expected=expected)
    assert (target.read_bytes(), names(tmp_path)) == (b"abc", ["a"])


def test_a_file_that_is_gone_since_is_not_made_again(tmp_path: Path) -> None:
    """A file that was expected and is not there is a change too."""
    target = tmp_path / "a"
    target.write_bytes(b"old")
    expected = FILES.info(str(target))
    target.unlink()
    with pytest.raises(FileChanged):
        FILES.replace(str(target), b"new", expected=expected)
    assert names(tmp_path) == []


def test_a_file_as_it_was_expected_is_replaced(tmp_path: Path) -> None:
    """Reading a file is no change of it."""
    target = tmp_path / "a"
    target.write_bytes(b"old")
    expected = FILES.info(str(target))
    assert FILES.read(str(target)) == b"old"
    FILES.replace(str(target), b"new", expected=expected)
    assert target.read_bytes() == b"new"


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _directory(path: Path) -> None:
    path.mkdir()


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [_fifo, _directory, _socket, _device])
def test_what_is_no_regular_file_is_refused_without_blocking(make: object, tmp_path: Path) -> None:
    """A FIFO, a directory, a socket and a device are neither read nor replaced; each stays what it is."""
    assert callable(make)
    path = tmp_path / "x"
    make(path)
    before = path.stat()
    with pytest.raises(OSError, match=r"directory|not a regular file"):
        FILES.read(str(path))
    with pytest.raises(OSError, match=r"directory|not a regular file"):
        FILES.replace(str(path), b"new")
    assert names(tmp_path) == ["x"]
    assert (before.st_ino, before.st_mode) == (path.stat().st_ino, path.stat().st_mode)


def test_the_first_bytes_of_a_file_can_be_had(tmp_path: Path) -> None:
    """A bound is kept, and none means all."""
    (tmp_path / "a").write_bytes(b"abcdef")
    assert [FILES.read(str(tmp_path / "a"), most) for most in (0, 3, 99, None)] == [b"", b"abc", b"abcdef", b"abcdef"]


def test_entries_say_what_names_are(tmp_path: Path) -> None:
    """A symlink is told as such with what it leads to, one that leads nowhere is something else."""
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_bytes(b"")
    for name, goal in (("ld", "d"), ("lf", "f"), ("gone", "nothing"), ("loop", "loop")):
        (tmp_path / name).symlink_to(goal)
    found = sorted(FILES.entries(str(tmp_path)), key=lambda each: each.name)
    assert found == [
        Entry(name="d", kind="directory"),
        Entry(name="f", kind="file"),
        Entry(name="gone", kind="other", link=True),
        Entry(name="ld", kind="directory", link=True),
        Entry(name="lf", kind="file", link=True),
        Entry(name="loop", kind="other", link=True),
    ]


def test_info_follows_symlinks_and_its_stamp_changes_with_the_content(tmp_path: Path) -> None:
    """The kind, size and mode are those of the target; other content of one length has another stamp."""
    target = tmp_path / "a"
    target.write_bytes(b"old")
    (tmp_path / "link").symlink_to("a")
    before = FILES.info(str(tmp_path / "link"))
    assert ("file", 3, stat.S_IMODE(target.stat().st_mode)) == (before.kind, before.size, before.mode)
    FILES.replace(str(target), b"new")
    assert before.stamp != FILES.info(str(target)).stamp
    assert [FILES.info(path).kind for path in (str(tmp_path), "/dev/null")] == ["directory", "other"]


def test_a_directory_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    """A replacement makes no directories; make_directories does, and does not mind one that is there."""
    with pytest.raises(FileNotFoundError):
        FILES.replace(str(tmp_path / "d" / "a"), b"new")
    for _ in range(2):
        FILES.make_directories(str(tmp_path / "d" / "e"))
    FILES.replace(str(tmp_path / "d" / "e" / "a"), b"new")
    assert str(tmp_path / "d" / "e" / "a") == FILES.canonical(str(tmp_path / "d" / ".." / "d" / "e" / "a"))


def test_a_name_as_long_as_a_file_system_takes_can_be_replaced(tmp_path: Path) -> None:
    """The file in work does not lengthen the name of its target."""
    target = tmp_path / ("n" * 255)
    FILES.replace(str(target), b"new")
    assert target.read_bytes() == b"new"
    with pytest.raises(OSError, match="too long") as fault:
        FILES.replace(str(tmp_path / ("n" * 256)), b"new")
    assert fault.value.errno == errno.ENAMETOOLONG
    assert [target.name] == names(tmp_path)
