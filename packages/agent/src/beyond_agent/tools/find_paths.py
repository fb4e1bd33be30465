"""The paths of find: which fit, which of them are shown, and where they come from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from beyond_agent.tools.globs import BadGlob, path_glob
from beyond_agent.tools.listing import MOST_RESULTS, limit_notice, listing, name_bytes, path_order, shown_name
from beyond_agent.tools.search_ripgrep import WALK, run_ripgrep
from beyond_agent.tools.search_walk import Walk
from beyond_agent_core.errors import InvalidInput

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from beyond_agent.seams import CommandRunner, FileSystem

_UNREADABLE: Final = "some of the directories could not be read"


class Fitting:
    """Takes the paths of files in any order and keeps the first that fit, in path order, and one more.

    The folders of a file are taken with it. So a folder is there if it holds, at any depth, a file that is not ignored.
    """

    def __init__(self, pattern: str, glob: re.Pattern[str], limit: int) -> None:
        self.pattern = pattern
        self.limit = limit
        self._fits = glob.fullmatch
        self._folders: set[str] = {""}
        self._kept: list[str] = []
        self._taken = False

    def take(self, path: str) -> None:
        """Take one path, relative to where the search began."""
        self._taken = True
        if self._fits(path) is not None:
            self._keep(path)
        folder = path.rpartition("/")[0]
        while folder not in self._folders:
            self._folders.add(folder)
            if self._fits(folder) is not None:
                self._keep(folder)
            folder = folder.rpartition("/")[0]

    @property
    def empty(self) -> bool:
        """Whether it has taken nothing."""
        return not self._taken

    def first(self) -> list[str]:
        """Return what is kept, in order, one more than the limit at most."""
        self._kept.sort(key=lambda each: path_order(name_bytes(each)))
        del self._kept[self.limit + 1 :]
        return self._kept

    def _keep(self, path: str) -> None:
        self._kept.append(path)
        if len(self._kept) > 4 * MOST_RESULTS:
            self.first()


def asked(pattern: str, limit: int) -> Fitting:
    """Return what takes the paths of a search. Raises InvalidInput for a pattern that means nothing."""
    if not pattern.strip("/"):
        raise InvalidInput("bad glob: it is empty")
    try:
        return Fitting(pattern, path_glob(pattern), min(limit, MOST_RESULTS))
    except BadGlob as error:
        raise InvalidInput(f"bad glob: {error}") from None


def result_text(fitting: Fitting, *, unreadable: bool) -> str:
    """Return what the model sees."""
    found = fitting.first()
    limit = fitting.limit
    notices = [_UNREADABLE] if unreadable else []
    if len(found) > limit:
        notices.insert(0, limit_notice("result", limit, "a narrower pattern or path"))
    lines = [shown_name(each) for each in found[:limit]] or [f'no files matching "{fitting.pattern}"']
    return listing(lines, notices, "use a narrower pattern or path")


async def by_ripgrep(runner: CommandRunner, program: str, folder: str, fitting: Fitting) -> bool | None:
    """Give it the files that ripgrep lists; return whether something could not be read, None where it did not list.

    Raises ExecutionFailed, OSError where it cannot be started.
    """
    rest = b""

    def take(piece: bytes) -> None:
        nonlocal rest
        *paths, rest = (rest + piece).split(b"\0")
        for path in paths:
            fitting.take(os.fsdecode(path.removeprefix(b"./")))

    ended = await run_ripgrep(runner, (program, "--files", *WALK, "./"), folder, take)
    # An old one that does not know a flag lists nothing, and does not tell of a file.
    return None if ended.faulty and not ended.unreadable and fitting.empty else ended.unreadable


def by_python(files: FileSystem, folder: str, fitting: Fitting, stop: Callable[[], bool]) -> bool:
    """Give it the files that a walk finds; return whether something could not be read. Raises Stopped."""
    walk = Walk(files, folder, stop)
    for path in walk.paths():
        fitting.take(path)
    return walk.unreadable
