"""A folder of sessions as names and bytes: the header of a new one, a file that is whole or not there, a list."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from beyond_agent.sessions.entries import VERSION, Header, line_of
from beyond_agent.sessions.errors import BadSessionId, SessionIO
from beyond_agent.sessions.naming import clean_title, id_in, new_session_id, stamp, usable_id
from beyond_wire.surrogates import clean_text, clean_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

CHUNK: Final = 1 << 20
"""Bytes of a copy that are written at once."""
_WITHOUT_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})
"""What link(2) answers on file systems that have no links, as those of memory cards and some mounts."""


def new_header(
    now: datetime,
    chance: Callable[[int], bytes],
    *,
    cwd: str,
    model: str,
    title: str | None = None,
    parent: str | None = None,
    session_id: str | None = None,
) -> Header:
    """Return the header of a session that begins now. Raises BadSessionId for an id that is no part of a name."""
    if session_id is not None and not usable_id(session_id):
        raise BadSessionId(session_id)
    return Header(
        version=VERSION,
        id=session_id or new_session_id(now, chance),
        created_at=stamp(now),
        # A path may be no Unicode, and the file must be UTF-8.
        cwd=clean_text(cwd),
        model=clean_text(model),
        title=clean_title(title or "") or None,
        parent=clean_value(parent),
    )


def put(path: str, header: Header, lines: Iterable[bytes] = ()) -> None:
    """Write a session's file under a name that is not taken. Raises SessionIO, and then there is no such file.

    The file gets its name when it is whole, so that a kill leaves no session that cannot be read.
    """
    folder, name = os.path.split(path)
    fresh = os.path.join(folder, f".{name}.{os.getpid()}.{os.urandom(4).hex()}")  # noqa: PTH118 - Path is slow
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb", buffering=CHUNK) as file:
                file.write(line_of(header))
                file.writelines(lines)
            _give_name(fresh, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(fresh)  # noqa: PTH108 - as above
    except OSError as error:
        raise SessionIO("cannot write", path, error) from error


def _give_name(fresh: str, path: str) -> None:
    """Give a whole file a name that is not taken: unlike a rename, a link fails where it is."""
    try:
        os.link(fresh, path)
    except OSError as error:
        if error.errno not in _WITHOUT_LINKS:
            raise
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        os.rename(fresh, path)  # noqa: PTH104 - as above


def make_folder(folder: str) -> None:
    """Make a folder that only its owner can look into, if it is not there. Raises SessionIO."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - as above
    except OSError as error:
        raise SessionIO("cannot make the folder", folder, error) from error


def session_files(folder: str) -> list[str]:
    """Return the paths of what is named like a session; none for a folder that is not there. Raises SessionIO."""
    return [path for path in entries_of(folder) if id_of(path)]


def entries_of(folder: str) -> list[str]:
    """Return the paths of all that is in a folder; none for one that is not there. Raises SessionIO."""
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder)]  # noqa: PTH118, PTH208 - as above
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise SessionIO("cannot list", folder, error) from error


def id_of(path: str) -> str:
    """Return the id in the name of the file at a path; empty where it is none."""
    return id_in(os.path.basename(path))  # noqa: PTH119 - as above
