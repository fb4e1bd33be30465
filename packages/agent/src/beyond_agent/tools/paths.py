"""Paths as models write them: relative, with `~`, as a URL, behind an `@`, with spaces copied from a document."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from beyond_agent_core.errors import InvalidInput

if TYPE_CHECKING:
    from beyond_agent.seams import FileInfo, FileSystem, Workplace

_ODD_SPACES: Final = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")


def resolve(path: str, cwd: str) -> str:
    """Return the absolute path that is meant; symlinks, and `..` that may follow one, are left as they are.

    Raises InvalidInput for an empty path and for one that no file can have.
    """
    return _absolute(_ODD_SPACES.sub(" ", path), cwd)


def existing(path: str, place: Workplace) -> tuple[str, FileInfo]:
    """Return where the file that is meant is, and what it is.

    Names made elsewhere may hold what a model writes otherwise, so that a missing one is tried with the spaces as
    given, decomposed accents, and the curly apostrophe. Raises InvalidInput where none is there, OSError as `info`.
    """
    for candidate in spellings(path, place.cwd):
        found = _found(candidate, place.files)
        if found is not None:
            return candidate, found
    raise InvalidInput(f"no such file: {path}")


def spellings(path: str, cwd: str) -> list[str]:
    """Return the absolute paths that may be meant, `resolve`'s first. Raises InvalidInput as that does."""
    plain = resolve(path, cwd)
    spellings = [plain, _absolute(path, cwd)]
    if not plain.isascii() or "'" in plain:
        import unicodedata  # noqa: PLC0415 - only odd paths need it

        curly = plain.replace("'", "\u2019")
        spellings += [unicodedata.normalize("NFD", plain), curly, unicodedata.normalize("NFD", curly)]
    return list(dict.fromkeys(spellings))


def reason(error: OSError) -> str:
    """Return why a file could not be used, in the system's words and without the path."""
    return error.strerror or str(error) or type(error).__name__


def _absolute(path: str, cwd: str) -> str:
    path = path.removeprefix("@")
    if path.startswith("file://"):
        from urllib.parse import unquote  # noqa: PLC0415 - few paths are URLs

        path = unquote(path.removeprefix("file://").removeprefix("localhost"), errors="surrogateescape")
    if not path:
        raise InvalidInput("the path is empty")
    if path.startswith("~"):
        path = os.path.expanduser(path)  # noqa: PTH111 - paths are text here, a Path would cost its import
    try:
        unusable = b"\0" in os.fsencode(path)
    except UnicodeEncodeError:
        unusable = True
    if unusable:
        raise InvalidInput(f"no file can have this path: {path!r}")
    path = os.path.join(cwd, path)  # noqa: PTH118 - as above
    # `a/..` is not here where `a` is a symlink, so only what means nothing anywhere is taken out.
    return path if ".." in path.split("/") else os.path.normpath(path)


def _found(path: str, files: FileSystem) -> FileInfo | None:
    try:
        return files.info(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
