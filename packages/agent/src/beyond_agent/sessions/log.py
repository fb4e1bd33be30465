"""Where the lines of a session go, and come from: a file, or memory for sessions that are not stored.

One write a line at the end of the file, so a line is there or is not, and what a kill tears is the last one only. A
write that the disk cuts short leaves such a tear too: the next line begins with an LF then, and the torn part is one
bad line that readers skip. Nothing is ever cut off or rewritten.
"""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING, Protocol

from beyond_agent.sessions.errors import SessionIO, SessionRemoved, SessionSuperseded

if TYPE_CHECKING:
    from beyond_agent.sessions.lease import Lease


class Log(Protocol):
    """Lines, each at a place that stays. `superseded` says that another writer has them now."""

    superseded: bool

    def append(self, line: bytes) -> int:
        """Add a line, its LF included; return the byte that it begins at. Raises SessionSuperseded, SessionIO."""
        ...

    def read(self, place: tuple[int, int]) -> bytes:
        """Return so many bytes from a byte on. Raises SessionIO."""
        ...

    async def sync(self) -> None:
        """Return when all that was appended is on the disk. Raises SessionIO, SessionRemoved."""
        ...

    def renew(self) -> bool:
        """Keep the right to write; return whether it is still ours. Raises SessionIO."""
        ...

    def close(self, *, remove: bool) -> None:
        """Give up that right and the file; `remove` also removes it, unless another writer has come."""
        ...


class FileLog:
    """A session's file, open as `fd` for reading and appending. `torn` says that its last line has no LF."""

    def __init__(self, path: str, fd: int, lease: Lease | None, *, torn: bool) -> None:
        self.path = path
        self.fd = fd
        self.superseded = False
        self._lease = lease
        self._torn = torn
        self._named = False

    def append(self, line: bytes) -> int:
        """Add a line in one write, behind one stat of the lease; return the byte that it begins at."""
        if not self.superseded and self._lease is not None and not self._lease.held():
            self._must_be_there()
            self.superseded = True
        if self.superseded:
            raise SessionSuperseded(self.path)
        text = b"\n" + line if self._torn else line
        try:
            written = os.write(self.fd, text)
            # Where the write ended, not where we think: another writer's last line may stand before ours.
            end = os.lseek(self.fd, 0, os.SEEK_CUR)
        except OSError as error:
            raise SessionIO("cannot write", self.path, error) from error
        short = len(text) - written
        # A line that a full disk cut short is closed by the next one. One that lacks only its LF is there.
        self._torn = short > 0 if written else self._torn
        if short > 1:
            raise SessionIO("cannot write", self.path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        return end + short - len(line)

    def read(self, place: tuple[int, int]) -> bytes:
        """Return so many bytes from a byte on. Raises SessionSuperseded where it was closed for another writer."""
        start, size = place
        if self.superseded and self.fd < 0:
            raise SessionSuperseded(self.path)
        try:
            return os.pread(self.fd, size, start)
        except OSError as error:
            raise SessionIO("cannot read", self.path, error) from error

    async def sync(self) -> None:
        """Wait in a worker thread until the disk has it all: the loop serves others meanwhile."""
        try:
            await asyncio.to_thread(self._sync)
        except OSError as error:
            raise SessionIO("cannot write", self.path, error) from error

    def _must_be_there(self) -> None:
        # With its folder a file takes the lease along, which looks like a takeover.
        if not os.fstat(self.fd).st_nlink:
            raise SessionRemoved(self.path)

    def _sync(self) -> None:
        os.fsync(self.fd)
        self._must_be_there()
        if not self._named:
            # A file whose name is not on the disk is as good as lost.
            folder = os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_CLOEXEC)  # noqa: PTH120 - Path is slow
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self._named = True

    def renew(self) -> bool:
        """Keep the lease; return whether it is still ours."""
        if not self.superseded and self._lease is not None and not self._lease.renew():
            # Of a file that was removed the next line that is to be stored tells.
            self.superseded = os.fstat(self.fd).st_nlink > 0
        return not self.superseded

    def close(self, *, remove: bool) -> None:
        """Give up the lease and the file; `remove` also removes it, unless somebody else has come to write it."""
        if self._lease is not None:
            self._lease.release(self.fd, remove=self.path if remove else None)
            self._lease = None
        os.close(self.fd)
        # The number will be another file's.
        self.fd = -1


class MemoryLog:
    """Lines of a session that is not stored."""

    def __init__(self) -> None:
        self.superseded = False
        self._text = bytearray()

    def append(self, line: bytes) -> int:
        """Add a line; return the byte that it begins at."""
        start = len(self._text)
        self._text += line
        return start

    def read(self, place: tuple[int, int]) -> bytes:
        """Return so many bytes from a byte on."""
        start, size = place
        return bytes(self._text[start : start + size])

    async def sync(self) -> None:
        """Return at once."""

    def renew(self) -> bool:
        """Nobody else can come."""
        return True

    def close(self, *, remove: bool) -> None:
        """Nothing is open."""
