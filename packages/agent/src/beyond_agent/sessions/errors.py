"""What can be wrong with stored sessions; each text says what it is and how it is mended.

- a reference leads nowhere, or to several: `NotFound`, `Ambiguous`, `IdTaken`, `BadSessionId`
- a file cannot be used, and stays untouched: `SessionCorrupt`, `SessionVersion`
- somebody else writes it: `SessionLocked`, or has come to: `SessionSuperseded`
- there is nothing stored: `NoSessionStore`; the disk fails: `SessionIO`; the file is gone: `SessionRemoved`

`code` is what programs read (agent contract, serve: frames).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class SessionError(Exception):
    """Root of them; never raised itself."""

    code: ClassVar[str] = "io"


class NotFound(SessionError):  # noqa: N818 - the contract names it so
    """Nothing has that name, id or place; the text says what was looked for."""

    code = "not_found"


class Ambiguous(SessionError):  # noqa: N818 - the contract names it so
    """Several sessions begin so: `candidates`, which the text names too."""

    code = "ambiguous"

    def __init__(self, reference: str, candidates: Sequence[str]) -> None:
        super().__init__(f"several sessions begin with {reference!r}, give more of the id: {', '.join(candidates)}")
        self.candidates = tuple(candidates)


class IdTaken(SessionError):  # noqa: N818 - it says what is wrong
    """A session is to come back under an id that another one has by now."""

    code = "ambiguous"

    def __init__(self, session_id: str) -> None:
        super().__init__(f"there is a session {session_id!r} already: delete that first, the other stays in the trash")


class BadSessionId(SessionError):  # noqa: N818 - it says what is wrong
    """An id that was asked for cannot be part of a file's name."""

    code = "invalid_field"

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session id {session_id!r}: use 1 to 100 letters, digits, `-` and `_`")


class SessionCorrupt(SessionError):  # noqa: N818 - the contract names it so
    """The first line is no header of a session, or the file is no regular file; it was not touched."""

    code = "session_corrupt"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} is no session: {why}; it was left as it is: mend its first line, or start another")


class SessionVersion(SessionError):  # noqa: N818 - the contract names it so
    """The file is of a newer version than this program knows; it was not touched."""

    code = "session_version"

    def __init__(self, path: str, version: int, known: int) -> None:
        super().__init__(f"{path} has version {version}, this program knows {known}: open it with a newer one")


class SessionLocked(SessionError):  # noqa: N818 - the contract names it so
    """Somebody writes this session, who is named."""

    code = "session_locked"

    def __init__(self, path: str, owner: str) -> None:
        super().__init__(f"{path} is in use by {owner}: end that, or take the session over with --takeover")


class SessionSuperseded(SessionError):  # noqa: N818 - the contract names it so
    """Another writer has taken this session over; nothing more is written to it from here."""

    code = "session_superseded"

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} was taken over by another writer, nothing more is written: open it again to go on")


class SessionRemoved(SessionError):  # noqa: N818 - it says what happened
    """Somebody has removed the file of this session while it was in use."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} was removed while it was in use, nothing more is stored: begin another session")


class NoSessionStore(SessionError):  # noqa: N818 - the contract names it so
    """Sessions are not stored here, so there are none to find, list or delete."""

    code = "no_session_store"

    def __init__(self, what: str) -> None:
        super().__init__(f"cannot {what}: sessions are not stored; start without --no-session and --session-file")


class SessionIO(SessionError):  # noqa: N818 - the code of it is `io`
    """The disk or a folder failed; the text names the path and what the system said."""

    code = "io"

    def __init__(self, doing: str, path: str, error: OSError) -> None:
        said = error.strerror or str(error)
        super().__init__(f"{doing} {path}: {said}; make room or give the folder its rights, or use --no-session")
        self.errno = error.errno
