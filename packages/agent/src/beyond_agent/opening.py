"""Which session a command goes on with, and where it is kept.

With `--no-session` nothing is written, whatever else is asked for: a session that is named is then read, and gone on
with in memory. Contract: agent contract, sessions on disk.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

from beyond_agent.sessions.naming import new_session_id, wall_clock
from beyond_agent.sessions.store import SessionStore

if TYPE_CHECKING:
    from beyond_agent.options import Options
    from beyond_agent.places import Places
    from beyond_agent.sessions.memory import MemoryStore
    from beyond_agent.sessions.stored import StoredSession

Store: TypeAlias = "SessionStore | MemoryStore"


def store_for(options: Options, places: Places) -> Store:
    """Return where sessions are kept: nothing is made yet."""
    if options.no_session:
        from beyond_agent.sessions.memory import MemoryStore  # noqa: PLC0415 - most commands store

        return MemoryStore()
    if options.session_file is not None:
        from beyond_agent.sessions.memory import FixedStore  # noqa: PLC0415 - as above

        return FixedStore(_under(places, options.session_file))
    return _on_disk(options, places)


def first_session(store: Store, options: Options, places: Places) -> StoredSession:
    """Return the session that the settings choose, open for writing. Raises as the store does."""
    if not isinstance(store, SessionStore):
        return _unkept(store, options, places) if options.no_session else _fixed(store, options, places)
    stored = _chosen(store, options, places)
    if options.name is not None and stored.title != options.name:
        stored.rename(options.name)
    return stored


def _chosen(store: SessionStore, options: Options, places: Places) -> StoredSession:
    if options.session_id is not None:
        return store.open_or_create(
            options.session_id, places.cwd, options.model, options.name, takeover=options.takeover
        )
    if options.fork is not None:
        return store.fork(options.fork, cwd=places.cwd)
    reference = store.newest(places.cwd) if options.continue_ else options.session
    if reference is not None:
        return store.open(reference, takeover=options.takeover)
    return store.create(places.cwd, options.model, options.name)


def _fixed(store: MemoryStore, options: Options, places: Places) -> StoredSession:
    """Return the one session of a fixed file."""
    session_id = options.session_id or new_session_id(wall_clock())
    return store.open_or_create(session_id, places.cwd, options.model, options.name, takeover=options.takeover)


def _unkept(store: MemoryStore, options: Options, places: Places) -> StoredSession:
    """Return a session in memory with what the one that is named has."""
    disk = _on_disk(options, places)
    reference = options.session or options.fork or (disk.newest(places.cwd) if options.continue_ else None)
    made = store.create(places.cwd, options.model, options.name, session_id=options.session_id)
    if reference is not None:
        read = disk.read(reference)
        for message in read.session.messages:
            made.session.push(message)
        read.close()
    return made


def _on_disk(options: Options, places: Places) -> SessionStore:
    if options.session_dir is not None:
        return SessionStore(_under(places, options.session_dir))
    return SessionStore(places.sessions, root=places.all_sessions)


def _under(places: Places, path: str) -> str:
    return os.path.join(places.cwd, os.path.expanduser(path))  # noqa: PTH111, PTH118 - paths are text here
