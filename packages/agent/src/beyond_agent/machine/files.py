"""The files of this machine.

A file is replaced, never written into: the new content goes to a temporary file beside it, to the disk, and then takes
its name. A full disk or a kill leaves the old content, with at worst a `.beyond-*.tmp` beside it. Whatever could block,
a FIFO or a device, is refused before it is opened.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from beyond_agent.seams import Entry, FileChanged, FileInfo, FileKind

if TYPE_CHECKING:
    from collections.abc import Iterator


class LocalFiles:
    """The FileSystem of this machine; methods raise OSError and may block on a slow disk, on nothing else."""

    def info(self, path: str) -> FileInfo:
        """Say what a path is, symlinks followed."""
        return _info(os.stat(path))  # noqa: PTH116 - paths are text here, a Path would cost its import

    def canonical(self, path: str) -> str:
        """Return the path with every symlink resolved; the end of it need not exist."""
        return os.path.realpath(path)

    def read(self, path: str, at_most: int | None = None) -> bytes:
        """Return the first `at_most` bytes of a regular file, all of it for None."""
        _must_be_regular(os.stat(path), path)  # noqa: PTH116 - as above
        # Between the two looks it may have become a FIFO, so opening must not block either.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor has no path
            _must_be_regular(os.fstat(descriptor), path)
            if at_most is None:
                return file.readall()
            pieces: list[bytes] = []
            while at_most > 0 and (piece := file.read(at_most)):
                pieces.append(piece)
                at_most -= len(piece)
            return b"".join(pieces)

    def replace(self, path: str, content: bytes, *, expected: FileInfo | None = None) -> None:
        """Put `content` in the place of a file, or make one: the old content or the new, never a mix.

        Mode and owner stay, a symlink's target is written. Raises FileChanged where the file is no more the `expected`,
        PermissionError where its owner could not stay, or where it may not be written.
        """
        target = os.path.realpath(path)
        old = _stat(target)
        if old is not None:
            _must_be_regular(old, path)
            # A rename asks the directory only, but a file that may not be written is meant to stay.
            if not os.access(target, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        folder = os.path.dirname(target)  # noqa: PTH120 - as above
        temporary = os.path.join(folder, f".beyond-{os.urandom(8).hex()}.tmp")  # noqa: PTH118 - as above
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o666 if old is None else 0o600)
        try:
            _fill(descriptor, content, old)
            if expected is not None:
                _must_be(expected, target)
            os.rename(temporary, target)  # noqa: PTH104 - as above
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 - as above
            raise
        _sync_names(folder)

    def make_directories(self, path: str) -> None:
        """Make a directory and its parents; nothing where it is there."""
        os.makedirs(path, exist_ok=True)  # noqa: PTH103 - as above

    def entries(self, path: str) -> Iterator[Entry]:
        """Yield what is in a directory, in no order; a symlink that leads nowhere is `other`."""
        with os.scandir(path) as found:
            for each in found:
                yield Entry(name=each.name, kind=_kind_of(each), link=each.is_symlink())


def _info(found: os.stat_result) -> FileInfo:
    stamp = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
    return FileInfo(kind=_kind(found.st_mode), size=found.st_size, mode=stat.S_IMODE(found.st_mode), stamp=stamp)


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - as above
    except FileNotFoundError:
        return None


def _kind(mode: int) -> FileKind:
    if stat.S_ISREG(mode):
        return "file"
    return "directory" if stat.S_ISDIR(mode) else "other"


def _kind_of(entry: os.DirEntry[str]) -> FileKind:
    try:
        if entry.is_dir():
            return "directory"
        return "file" if entry.is_file() else "other"
    except OSError:
        return "other"


def _must_be_regular(found: os.stat_result, path: str) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", path)


def _must_be(expected: FileInfo, path: str) -> None:
    now = _stat(path)
    if now is None or _info(now) != expected:
        raise FileChanged(errno.ESTALE, "changed on disk meanwhile", path)


def _fill(descriptor: int, content: bytes, old: os.stat_result | None) -> None:
    """Write a new file to the disk and close it."""
    try:
        if old is not None:
            _take_over(descriptor, old)
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_over(descriptor: int, old: os.stat_result) -> None:
    """Give a new file the owner and mode of the old; the owner first, because a change of it drops set-id bits."""
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _sync_names(folder: str) -> None:
    """Put the rename on the disk. The content is there already, so a file system that cannot is no failure."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
