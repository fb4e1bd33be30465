"""Which session is meant, and which there are. By the names of files, which end with the id: no index can be wrong."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from beyond_agent.sessions.errors import Ambiguous, NotFound
from beyond_agent.sessions.files import entries_of, id_of, session_files
from beyond_wire.surrogates import clean_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from beyond_agent.sessions.listing import Listed, Page

TRASH: Final = ".trash"
"""Folder beside deleted sessions (agent contract, sessions on disk)."""


class Finder:
    """`folder` is looked into first, then all folders in `root`. All methods raise SessionIO."""

    def __init__(self, folder: str | os.PathLike[str], root: str | os.PathLike[str] | None) -> None:
        self.folder = os.path.abspath(folder)  # noqa: PTH100 - importing pathlib costs 10 ms of the start
        self.root = None if root is None else os.path.abspath(root)  # noqa: PTH100 - as above

    def find(self, reference: str) -> str:
        """Return the path of the session with a path, an id or the beginning of one. Raises NotFound, Ambiguous."""
        if os.sep in reference or reference.endswith(".jsonl"):
            return os.path.abspath(reference)  # noqa: PTH100 - as above
        if not reference:
            raise NotFound("no session has an empty id: name one, or list them with `beyond-ai-agent sessions`")
        exact = self.exactly(reference)
        if exact is not None:
            return exact
        found = [path for path in self.paths() if id_of(path).startswith(reference)]
        if len(found) > 1:
            # Nobody means one in which nothing was said, unless there is no other.
            found = [each.path for each in _listed(found)] or found
        if len(found) > 1:
            raise Ambiguous(reference, sorted(map(id_of, found)))
        if not found:
            raise NotFound(f"no session {reference!r}: list them with `beyond-ai-agent sessions --all`")
        return found[0]

    def newest(self, cwd: str) -> str | None:
        """Return the path of the session of a directory that was written last, for `open`; None without any."""
        page = self.list_sessions(cwd=cwd, limit=1)
        return page.sessions[0].path if page.sessions else None

    def list_sessions(
        self, *, cwd: str | None = None, query: str | None = None, limit: int | None = None, offset: int = 0
    ) -> Page:
        """Return the sessions of a directory, or of all for None, newest first: `limit` of them from `offset` on.

        Those in which nothing was said are left out, and those whose header is bad. `query` is looked for in what is
        shown, whatever the case.
        """
        from beyond_agent.sessions.listing import Page  # noqa: PLC0415 - a run that begins lists nothing

        paths = self.paths() if cwd is None else session_files(self.folder)
        here = clean_value(cwd)
        shown = (each for each in _listed(paths) if here in (None, each.cwd) and (not query or each.has(query)))
        every = sorted(shown, key=lambda each: (each.updated_at, each.id), reverse=True)
        return Page(sessions=every[offset:][:limit], total=len(every))

    def list_trash(self) -> list[Listed]:
        """Return the deleted sessions, newest first."""
        return sorted(_listed(self.paths(trash=True)), key=lambda each: (each.updated_at, each.id), reverse=True)

    def exactly(self, session_id: str, *, trash: bool = False) -> str | None:
        """Return the path of the session with exactly this id; None without one."""
        return next((path for path in self.paths(trash=trash) if id_of(path) == session_id), None)

    def paths(self, *, trash: bool = False) -> Iterator[str]:
        """Yield the paths of all sessions, or of all that are in the trash."""
        folders = {self.folder: None}
        if self.root is not None:
            folders |= dict.fromkeys(entries_of(self.root))
        for folder in folders:
            yield from session_files(os.path.join(folder, TRASH) if trash else folder)  # noqa: PTH118 - as above


def _listed(paths: Iterable[str]) -> Iterator[Listed]:
    from beyond_agent.sessions.listing import glance  # noqa: PLC0415 - as above

    return (each for each in map(glance, paths) if each is not None)
