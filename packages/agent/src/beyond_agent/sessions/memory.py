"""Stores without a folder: sessions that live in memory only, and one session at a fixed path.

They have the surface of SessionStore, so that whoever uses one need not ask which; what needs a folder of sessions
raises NoSessionStore.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from beyond_agent.sessions.book import Book
from beyond_agent.sessions.errors import NoSessionStore
from beyond_agent.sessions.files import new_header
from beyond_agent.sessions.log import MemoryLog
from beyond_agent.sessions.naming import wall_clock
from beyond_agent.sessions.outline import Outline
from beyond_agent.sessions.scan import Skipped
from beyond_agent.sessions.store import SessionStore
from beyond_agent.sessions.stored import StoredSession

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from beyond_agent.sessions.listing import Listed, Page


class MemoryStore:
    """Makes sessions of which nothing is written anywhere (`--no-session`)."""

    def __init__(
        self, *, clock: Callable[[], datetime] = wall_clock, chance: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._clock = clock
        self._chance = chance

    def create(
        self, cwd: str, model: str, title: str | None = None, parent: str | None = None, session_id: str | None = None
    ) -> StoredSession:
        """Return a new session without a path."""
        header = new_header(
            self._clock(),
            self._chance,
            cwd=cwd,
            model=model,
            title=title,
            parent=parent,
            session_id=session_id,
        )
        return StoredSession(Book(Outline(header), MemoryLog(), self._clock, self._chance), None, Skipped())

    def open_or_create(
        self, session_id: str, cwd: str, model: str, title: str | None = None, *, takeover: bool = False
    ) -> StoredSession:
        """Return a new session with this id: there is no other."""
        del takeover
        return self.create(cwd, model, title, session_id=session_id)

    def open(self, reference: str, *, takeover: bool = False) -> StoredSession:
        """Raise NoSessionStore."""
        del takeover
        raise NoSessionStore(f"open session {reference!r}")

    def read(self, reference: str) -> StoredSession:
        """Raise NoSessionStore."""
        raise NoSessionStore(f"read session {reference!r}")

    def find(self, reference: str) -> str:
        """Raise NoSessionStore."""
        raise NoSessionStore(f"find session {reference!r}")

    def newest(self, cwd: str) -> str | None:
        """Raise NoSessionStore."""
        raise NoSessionStore(f"continue the newest session of {cwd}")

    def fork(
        self,
        source: StoredSession | str,
        *,
        target_id: str | None = None,
        before: bool = False,
        upto: int | None = None,
        cwd: str | None = None,
    ) -> StoredSession:
        """Raise NoSessionStore."""
        del source, target_id, before, upto, cwd
        raise NoSessionStore("fork a session")

    def list_sessions(
        self, *, cwd: str | None = None, query: str | None = None, limit: int | None = None, offset: int = 0
    ) -> Page:
        """Raise NoSessionStore."""
        del cwd, query, limit, offset
        raise NoSessionStore("list sessions")

    def delete(self, session_id: str) -> str:
        """Raise NoSessionStore."""
        raise NoSessionStore(f"delete session {session_id!r}")

    def list_trash(self) -> list[Listed]:
        """Raise NoSessionStore."""
        raise NoSessionStore("list the trash")

    def restore(self, session_id: str) -> str:
        """Raise NoSessionStore."""
        raise NoSessionStore(f"restore session {session_id!r}")


class FixedStore(MemoryStore):
    """Has one session, in the file at `path` (`--session-file`): `create` makes or opens it, `open` opens it again.

    A `create` of another one raises NoSessionStore: one file holds one session.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        owner: str = "beyond-ai-agent",
        clock: Callable[[], datetime] = wall_clock,
        chance: Callable[[int], bytes] = os.urandom,
    ) -> None:
        super().__init__(clock=clock, chance=chance)
        self.path = os.path.abspath(path)  # noqa: PTH100 - importing pathlib costs 10 ms of the start
        folder = os.path.dirname(self.path)  # noqa: PTH120 - as above
        self._files = SessionStore(folder, owner=owner, clock=clock, chance=chance)
        self._id: str | None = None

    def create(
        self, cwd: str, model: str, title: str | None = None, parent: str | None = None, session_id: str | None = None
    ) -> StoredSession:
        """Return the session of the file, a new one where there is none. Raises as `SessionStore.open`."""
        return self._once(cwd, model, title, parent, session_id, takeover=False)

    def open_or_create(
        self, session_id: str, cwd: str, model: str, title: str | None = None, *, takeover: bool = False
    ) -> StoredSession:
        """Return the session of the file, a new one with this id where there is none. Raises as `SessionStore.open`."""
        return self._once(cwd, model, title, None, session_id, takeover=takeover)

    def open(self, reference: str, *, takeover: bool = False) -> StoredSession:
        """Return the session of the file, if that is meant. Raises NoSessionStore, and as `SessionStore.open`."""
        return self._files.open(self.find(reference), takeover=takeover)

    def read(self, reference: str) -> StoredSession:
        """Return the session of the file for reading, if that is meant. Raises as `open`."""
        return self._files.read(self.find(reference))

    def find(self, reference: str) -> str:
        """Return the path of the file where `reference` is that, or the id of its session. Raises NoSessionStore."""
        if reference not in (self.path, self._id):
            raise NoSessionStore(f"find session {reference!r}")
        return self.path

    def _once(
        self,
        cwd: str,
        model: str,
        title: str | None,
        parent: str | None,
        session_id: str | None,
        *,
        takeover: bool,
    ) -> StoredSession:
        if self._id is not None and self._id != session_id:
            raise NoSessionStore("start another session")
        header = new_header(
            self._clock(),
            self._chance,
            cwd=cwd,
            model=model,
            title=title,
            parent=parent,
            session_id=session_id,
        )
        stored = self._files.open_at(self.path, header, takeover=takeover)
        self._id = stored.id
        return stored
