"""The `glob` of grep: which files are looked at, and what of that ripgrep can be told.

ripgrep's own globs would search a file that .gitignore names, so a glob is applied here to what was found. Where it is
plain enough to mean the same to all, ripgrep is told as much of it as does no harm, not to read files for nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from beyond_agent.tools.globs import path_glob

if TYPE_CHECKING:
    from collections.abc import Callable

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./*{},+@%=-]+")
_EMPTY_CHOICE: Final = re.compile(r"\{,|,,|,\}|\{\}")


def wanted_by(glob: str | None) -> Callable[[str], bool]:
    """Return what tells of a relative path whether the glob wants it. Raises BadGlob.

    A glob that starts with `!` wants all but what it fits and what is below a folder that it fits; a slash at its end
    then means folders only.
    """
    if not glob:
        return _all
    if not glob.startswith("!"):
        fits = path_glob(glob).fullmatch
        return lambda path: fits(path) is not None
    unwanted = path_glob(glob[1:].rstrip("/")).fullmatch
    folders_only = glob.endswith("/")

    def wanted(path: str) -> bool:
        if not folders_only and unwanted(path) is not None:
            return False
        while "/" in path:
            path = path.rpartition("/")[0]
            if unwanted(path) is not None:
                return False
        return True

    return wanted


def narrowing(glob: str | None) -> tuple[str, ...]:
    """Return flags of ripgrep that leave out only what the glob does not want."""
    if not glob or _PLAIN.fullmatch(glob.removeprefix("!")) is None or _EMPTY_CHOICE.search(glob):
        return ()
    if glob.startswith("!"):
        # All flags of this kind leave out, so that none calls an ignored file in.
        unwanted = glob[1:]
        return (f"--glob=!{unwanted if unwanted.startswith(('/', '**/')) else f'**/{unwanted}'}",)
    name = glob.rpartition("/")[2]
    # A brace that spans a slash has no last part, and a type is known by what a base name looks like.
    if "{" in glob and "/" in glob:
        return ()
    return (f"--type-add=wanted:{name}", "--type=wanted") if name and name != "**" else ()


def _all(path: str) -> bool:
    del path
    return True
