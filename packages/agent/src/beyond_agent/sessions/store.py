"""The sessions of a folder: opens, makes, copies and deletes them; `finder` is its part that only looks.

Sessions of a directory have a folder of their own (`folder`), and those of all directories stand side by side (`root`):
what is new goes into the first, what somebody names is looked for in all.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from beyond_agent.sessions.book import Book
from beyond_agent.sessions.copying import path_lines
from beyond_agent.sessions.errors import IdTaken, NotFound, SessionIO
from beyond_agent.sessions.files import id_of, make_folder, new_header, put
from beyond_agent.sessions.finder import TRASH, Finder
from beyond_agent.sessions.lease import take, turn
from beyond_agent.sessions.log import FileLog
from beyond_agent.sessions.naming import file_name, wall_clock
from beyond_agent.sessions.scan import open_file, read_header, scan
from beyond_agent.sessions.stored import StoredSession
from beyond_agent.sessions.tree import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from datetime import datetime

    from beyond_agent.sessions.entries import Header
    from beyond_agent.sessions.lease import Lease


class SessionStore(Finder):
    """`folder` gets new sessions, `root` holds the folders of all directories; neither need exist yet.

    `owner` says who writes, to those who find a session locked. `clock` gives wall time, `chance` so many random bytes.
    All methods may block for as long as the disk takes. All raise SessionIO.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        root: str | os.PathLike[str] | None = None,
        owner: str = "beyond-ai-agent",
        clock: Callable[[], datetime] = wall_clock,
        chance: Callable[[int], bytes] = os.urandom,
    ) -> None:
        super().__init__(folder, root)
        self._owner = owner
        self._clock = clock
        self._chance = chance

    def create(
        self, cwd: str, model: str, title: str | None = None, parent: str | None = None, session_id: str | None = None
    ) -> StoredSession:
        """Return a new session, whose header is on the disk. With an id that is taken, the session that has it."""
        if session_id is not None:
            return self.open_or_create(session_id, cwd, model, title)
        header = new_header(self._clock(), self._chance, cwd=cwd, model=model, title=title, parent=parent)
        return self._opened(self._make(header))

    def open_or_create(
        self, session_id: str, cwd: str, model: str, title: str | None = None, *, takeover: bool = False
    ) -> StoredSession:
        """Return the session with exactly this id, a new one where there is none. Raises as `open`, and BadSessionId.

        Of several processes that ask for one id at once, one makes it.
        """
        header = new_header(self._clock(), self._chance, cwd=cwd, model=model, title=title, session_id=session_id)
        with self._alone():
            path = self.exactly(session_id) or self._make(header)
        return self._opened(path, takeover=takeover)

    def open(self, reference: str, *, takeover: bool = False) -> StoredSession:
        """Return the session with a path, an id or the beginning of one.

        Raises NotFound, Ambiguous, SessionCorrupt, SessionVersion; SessionLocked where somebody writes it, unless
        `takeover` says that this writer ends there.
        """
        return self._opened(self.find(reference), takeover=takeover)

    def open_at(self, path: str, header: Header, *, takeover: bool = False) -> StoredSession:
        """Return the session at a path, a new one with this header where there is none. Raises as `open`."""
        make_folder(os.path.dirname(path))  # noqa: PTH120 - importing pathlib costs 10 ms of the start
        if not os.path.lexists(path):
            _put_unless_there(path, header)
        return self._opened(path, takeover=takeover)

    def read(self, reference: str) -> StoredSession:
        """Return a session for reading, whoever writes it: nothing may be written to it. Raises as `open`."""
        path = self.find(reference)
        fd = open_file(path, os.O_RDONLY)
        try:
            return self._loaded(path, fd, None)
        except BaseException:
            os.close(fd)
            raise

    def fork(
        self,
        source: StoredSession | str,
        *,
        target_id: str | None = None,
        before: bool = False,
        upto: int | None = None,
        cwd: str | None = None,
    ) -> StoredSession:
        """Return a new session with the path of another one up to an entry: see `StoredSession.place_of`.

        `source` is an open session, or what `open` takes; it is only read, so that it may be in use. Raises as `open`.
        """
        if isinstance(source, StoredSession):
            return self._copied(source, source.place_of(target_id, before=before, upto=upto), cwd)
        read = self.read(source)
        try:
            return self._copied(read, read.place_of(target_id, before=before, upto=upto), cwd)
        finally:
            read.close()

    def delete(self, session_id: str) -> str:
        """Move a session to the trash beside it; return its id. One that is there already stays there.

        Raises NotFound, also for the path of a file that is kept elsewhere; Ambiguous, and SessionLocked where somebody
        writes it.
        """
        try:
            path = self._kept(session_id)
        except NotFound:
            if self.exactly(session_id, trash=True) is None:
                raise
            return session_id
        fd = open_file(path, os.O_RDONLY)
        lease = None
        try:
            lease = take(path, fd, owner=self._owner, clock=self._clock)
            _move(path, os.path.join(os.path.dirname(path), TRASH))  # noqa: PTH118, PTH120 - as above
        finally:
            if lease is not None:
                lease.release(fd)
            os.close(fd)
        return id_of(path)

    def restore(self, session_id: str) -> str:
        """Take a session out of the trash; return its id. One that was never deleted stays where it is.

        Of several with one id it is the newest. Raises NotFound, and IdTaken where another session has that id now.
        """
        path = max((each for each in self.paths(trash=True) if id_of(each) == session_id), default=None, key=_named)
        there = self.exactly(session_id)
        if path is None and there is None:
            raise NotFound(f"no session {session_id!r} in the trash: list_trash tells what there is")
        if path is not None and there is not None:
            raise IdTaken(session_id)
        if path is not None:
            _move(path, os.path.dirname(os.path.dirname(path)))  # noqa: PTH120 - as above
        return session_id

    # -- the parts of it

    def _kept(self, reference: str) -> str:
        path = self.find(reference)
        if path not in self.paths():
            raise NotFound(f"no session {reference!r} is kept here: list them with `beyond-ai-agent sessions --all`")
        return path

    def _make(self, header: Header, lines: Iterable[bytes] = ()) -> str:
        make_folder(self.folder)
        path = os.path.join(self.folder, file_name(header.created_at, header.id))  # noqa: PTH118 - as above
        put(path, header, lines)
        return path

    def _opened(self, path: str, *, takeover: bool = False) -> StoredSession:
        fd = open_file(path, os.O_RDWR | os.O_APPEND)
        lease = None
        try:
            read_header(fd, path)  # a file that is refused gets no lease either
            lease = take(path, fd, owner=self._owner, clock=self._clock, takeover=takeover)
            return self._loaded(path, fd, lease)
        except BaseException:
            if lease is not None:
                lease.release(fd)
            os.close(fd)
            raise

    def _loaded(self, path: str, fd: int, lease: Lease | None) -> StoredSession:
        scanned = scan(fd, path)
        log = FileLog(path, fd, lease, torn=scanned.torn)
        return StoredSession(Book(scanned.outline, log, self._clock, self._chance), path, scanned.skipped)

    def _copied(self, source: StoredSession, target: str | None, cwd: str | None) -> StoredSession:
        outline = source.book.outline
        row = None if target is None else outline.tree.row(target)
        header = new_header(
            self._clock(),
            self._chance,
            cwd=cwd or source.cwd,
            model=source.model,
            title=source.title,
            parent=source.id,
        )
        copy = self._opened(self._make(header, path_lines(outline, NONE if row is None else row, source.book.line)))
        try:
            # What is copied from the middle of a run was not broken off: the run went on elsewhere.
            if copy.last_outcome == "crashed" and (target != source.leaf_id or source.last_outcome != "crashed"):
                copy.settle()
        except BaseException:
            copy.close()
            raise
        return copy

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Hold the lock on the place where ids are looked for."""
        place = self.root or self.folder
        make_folder(place)
        try:
            fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise SessionIO("cannot open", place, error) from error
        try:
            with turn(fd, place):
                yield
        finally:
            os.close(fd)


def _put_unless_there(path: str, header: Header) -> None:
    try:
        put(path, header)
    except SessionIO as error:
        # Another process may have made it since we looked: that is what we open then, or find in use.
        if error.errno != errno.EEXIST:
            raise


def _named(path: str) -> str:
    """Return a file's name, which begins with the time at which the session did."""
    return os.path.basename(path)  # noqa: PTH119 - as above


def _move(path: str, folder: str) -> None:
    make_folder(folder)
    try:
        os.rename(path, os.path.join(folder, os.path.basename(path)))  # noqa: PTH104, PTH118, PTH119 - as above
    except OSError as error:
        raise SessionIO("cannot move", path, error) from error
