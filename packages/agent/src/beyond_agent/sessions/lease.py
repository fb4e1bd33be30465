"""Who may write a session: a file beside it that names the writer, and that whoever takes over replaces.

A lock of the operating system would be simpler, and cannot be taken from a process that is stopped or hangs on another
host. So the right to write is the lease file itself. Taking it is a rename, which gives the name another file; the
writer keeps its own file open and compares the two by one stat before each append. Renewing writes into the open file,
so that an owner who wakes up late renews what nobody looks at any more, and never undoes a takeover. Takers, who must
read before they rename, go one at a time under a lock on the session's file, held for that moment only.

What is left open: a writer that is stopped between its stat and its write ends that one line when it wakes. Lines are
written whole at the end of the file, so that line is a side branch, and nothing of the new writer's is lost or mixed.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from beyond_agent.sessions.errors import NotFound, SessionIO, SessionLocked
from beyond_agent.sessions.naming import stamp
from beyond_agent.sessions.processes import space, start_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

RENEW_S: Final = 15.0
"""Seconds between two renewals (agent contract, sessions on disk)."""
STALE_S: Final = 45.0
"""Seconds after which an owner that did not renew has lost its lease, the same section."""
TURN_S: Final = 5.0
"""Seconds that a taker waits for other takers, each of whom needs less than a millisecond."""
SUFFIX: Final = ".lease"


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """What a lease says. `start` and `space` tell whether `pid` on this `host` is still the same process."""

    owner: str
    pid: int
    start: str
    host: str
    space: str
    generation: int
    heartbeat: str

    def __str__(self) -> str:
        return f"{self.owner} (process {self.pid} on {self.host})"


class Lease:
    """The right to write one session. All methods may block for the time of a system call."""

    def __init__(self, path: str, fd: int, holder: Holder, clock: Callable[[], datetime]) -> None:
        self.holder = holder
        self._path = path
        self._fd = fd
        self._clock = clock
        self._file = _identity(os.fstat(fd))

    def held(self) -> bool:
        """Whether it is still ours: one stat."""
        try:
            return _identity(os.stat(self._path)) == self._file  # noqa: PTH116 - importing pathlib costs 10 ms
        except OSError:
            return False

    def renew(self) -> bool:
        """Write the time into it; return whether it is still ours. Due every `RENEW_S`. Raises SessionIO."""
        self.holder = msgspec.structs.replace(self.holder, heartbeat=stamp(self._clock()))
        try:
            # Times are all of one length, so nothing of the earlier text is left over.
            os.pwrite(self._fd, msgspec.json.encode(self.holder), 0)
        except OSError as error:
            raise SessionIO("cannot renew", self._path, error) from error
        return self.held()

    def release(self, session_fd: int, *, remove: str | None = None) -> None:
        """Give it up, and remove the session's file at `remove`; nothing where it is no longer ours."""
        try:
            with turn(session_fd, self._path):
                if self.held():
                    if remove is not None:
                        os.unlink(remove)  # noqa: PTH108 - as above
                    os.unlink(self._path)  # noqa: PTH108 - as above
        except (OSError, SessionLocked):
            pass  # whoever comes finds that our process is gone
        finally:
            os.close(self._fd)


def take(
    session: str, fd: int, *, owner: str, clock: Callable[[], datetime], takeover: bool = False, wait_s: float = TURN_S
) -> Lease:
    """Return the lease on the session at a path, whose file is open as `fd`.

    Raises SessionLocked naming the owner unless that one is gone, has not renewed for `STALE_S`, or `takeover` says
    so; NotFound where the file has been moved away meanwhile; SessionIO.
    """
    path = session + SUFFIX
    with turn(fd, session, wait_s):
        _same_file(session, fd)
        try:
            last = _holder(path, clock)
            if last is not None and not takeover and alive(last, clock()):
                raise SessionLocked(session, str(last))
            holder = Holder(
                owner=owner,
                pid=os.getpid(),
                start=start_of(os.getpid()) or "",
                host=os.uname().nodename,
                space=space(),
                generation=1 if last is None else last.generation + 1,
                heartbeat=stamp(clock()),
            )
            return Lease(path, _put(path, msgspec.json.encode(holder)), holder, clock)
        except OSError as error:
            raise SessionIO("cannot write", path, error) from error


def alive(holder: Holder, now: datetime) -> bool:
    """Whether a holder still has its lease: its process is there as far as we can see, and has renewed in time."""
    if holder.host == os.uname().nodename and holder.space == space():
        start = start_of(holder.pid)
        if start is None or (start and holder.start and start != holder.start):
            return False
    try:
        return (now - datetime.fromisoformat(holder.heartbeat)).total_seconds() < STALE_S
    except (ValueError, TypeError):
        # What is no time, or does not say in which zone, was not written by a writer.
        return False


@contextmanager
def turn(fd: int, path: str, wait_s: float = TURN_S) -> Generator[None]:
    """Hold the lock on an open file. Raises SessionLocked where others hold it for longer than `wait_s` seconds."""
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > until:
                raise SessionLocked(path, "somebody who is just opening it") from None
            time.sleep(0.005)
    try:
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _put(path: str, text: bytes) -> int:
    """Put a lease in the place of any other; return its open file."""
    fresh = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(fd, text, 0)
        os.rename(fresh, path)  # noqa: PTH104 - as above
    except BaseException:
        os.close(fd)
        os.unlink(fresh)  # noqa: PTH108 - as above
        raise
    return fd


def _holder(path: str, clock: Callable[[], datetime]) -> Holder | None:
    """Return who holds a lease; a damaged one is held by somebody unknown for as long as it is fresh."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            changed = os.fstat(file.fileno()).st_mtime
            text = file.read()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(text, type=Holder)
    except (msgspec.DecodeError, UnicodeDecodeError):
        since = stamp(datetime.fromtimestamp(changed, clock().tzinfo))
        return Holder(owner="somebody unknown", pid=0, start="", host="?", space="", generation=0, heartbeat=since)


def _same_file(session: str, fd: int) -> None:
    try:
        if _identity(os.stat(session)) == _identity(os.fstat(fd)):  # noqa: PTH116 - as above
            return
    except FileNotFoundError:
        pass
    raise NotFound(f"the session at {session} has just been moved away: list what there is, or restore it")


def _identity(info: os.stat_result) -> tuple[int, int]:
    return info.st_dev, info.st_ino
