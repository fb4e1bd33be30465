"""Globs of paths that no tool may name.

A glob is read as the find tool reads one: without `/` it names any part of a path, with one it begins anywhere unless
it begins with `/`, `~`, or `.` for the current directory. `*` stays within a name, `**` does not. What is denied is
denied with all that is below it, and a last `/*` or `/**` names the directory as well: a listing or search of it would
show what is in it.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from os.path import normpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class DeniedPaths:
    """The globs of one agent. `canonical` resolves symlinks, in the fixed start of a glob as in a path."""

    def __init__(self, globs: Iterable[str], *, home: str, cwd: str, canonical: Callable[[str], str]) -> None:
        self._globs = [(glob, form) for glob in globs for form in _forms(_anchored(glob, home, cwd), canonical)]

    def __bool__(self) -> bool:
        return bool(self._globs)

    def glob_of(self, path: str) -> str | None:
        """Return the glob that denies a canonical path, as it was given; None where none does."""
        names = _names(path)
        return next((glob for glob, form in self._globs if _matches(form, names)), None)


def _anchored(glob: str, home: str, cwd: str) -> str:
    start, slash, rest = glob.partition("/")
    return {"~": home, ".": cwd, "..": f"{cwd}/.."}.get(start, start) + slash + rest


def _forms(glob: str, canonical: Callable[[str], str]) -> list[list[str]]:
    """Return a glob as names to match, from `/` on; twice where its fixed start leads through a symlink."""
    absolute = glob.startswith("/")
    # A `..` behind a symlink is for `canonical`; elsewhere it only means another name.
    names = _names(glob if absolute else normpath(glob))
    while names and names[-1] in {"*", "**"}:
        names.pop()
    if not absolute:
        return [["**", *names]]
    fixed = next((at for at, name in enumerate(names) if any(sign in name for sign in "*?[")), len(names))
    real = _names(canonical("/" + "/".join(names[:fixed])))
    return [names] if real == names[:fixed] else [names, real + names[fixed:]]


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in {"", "."}]


def _matches(glob: list[str], names: list[str]) -> bool:
    """Whether a glob names a path or a directory that it is in."""
    if not glob:
        return True
    if glob[0] == "**":
        return any(_matches(glob[1:], names[at:]) for at in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], glob[0]) and _matches(glob[1:], names[1:])
