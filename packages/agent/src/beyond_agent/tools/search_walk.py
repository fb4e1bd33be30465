"""The files below a folder in path order, as ripgrep would list them: for where there is no ripgrep.

Dotfiles are there, `.git` is not, symlinks are not followed, and .gitignore holds in and out of repositories, that of
each folder above included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from beyond_agent.tools.ignore_rules import IgnoreFile, IgnoreStack, as_bytes_text
from beyond_agent.tools.listing import name_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from beyond_agent.seams import Entry, FileSystem

_RULES: Final = ".gitignore"
_SKIPPED: Final = ".git"
_REPOSITORY: Final = ".jj"
"""In a repository of Jujutsu that is met in a walk, the rules of the folders above it do not hold.

So ripgrep has it since version 15, other than for git's.
"""


class Stopped(Exception):  # noqa: N818 - it says what happened
    """Nobody waits for the search any more."""


class Walk:
    """One pass over a tree. `unreadable` says that a folder could not be listed; `stop` is asked at each entry."""

    def __init__(self, files: FileSystem, root: str, stop: Callable[[], bool]) -> None:
        self.unreadable = False
        self._files = files
        self._root = files.canonical(root)
        self._stop = stop
        # What the rules see of a path: from the file system's root on.
        self._seen_root = as_bytes_text(self._root).rstrip("/")

    def paths(self) -> Iterator[str]:
        """Yield the paths of the files, relative to the root. Raises Stopped."""
        waiting = [self._folder("", self._rules_above())]
        while waiting:
            found = next(waiting[-1], None)
            if found is None:
                waiting.pop()
            elif isinstance(found, str):
                yield found
            else:
                waiting.append(self._folder(*found))

    def absolute(self, path: str) -> str:
        """Return where a path that was yielded is."""
        return f"{self._root.rstrip('/')}/{path}"

    def _folder(self, path: str, rules: IgnoreStack | None) -> Iterator[str | tuple[str, IgnoreStack | None]]:
        """Yield the files of a folder, and its folders with the rules that hold there."""
        prefix = f"{path}/" if path else ""
        entries = self._entries(path)
        names = {each.name for each in entries if not (each.link and each.kind == "other")}
        if _REPOSITORY in names:
            rules = None
        if _RULES in names:
            rules = self._with_rules(self.absolute(prefix), rules)
        for each in entries:
            if self._stop():
                raise Stopped
            if each.link or each.kind == "other" or each.name == _SKIPPED:
                continue
            found = prefix + each.name
            directory = each.kind == "directory"
            if rules is None or not rules.ignored(f"{self._seen_root}/{as_bytes_text(found)}", directory=directory):
                yield (found, rules) if directory else found

    def _entries(self, path: str) -> list[Entry]:
        entries: list[Entry] = []
        try:
            entries.extend(self._files.entries(self.absolute(path) if path else self._root))
        except OSError:
            self.unreadable = True
        entries.sort(key=_by_name)
        return entries

    def _rules_above(self) -> IgnoreStack | None:
        rules: IgnoreStack | None = None
        folder = "/"
        for name in filter(None, self._root.split("/")):
            rules = self._with_rules(folder, rules)
            folder = f"{folder}{name}/"
        return rules

    def _with_rules(self, folder: str, above: IgnoreStack | None) -> IgnoreStack | None:
        """Return the rules with those of a folder; its path ends with a slash."""
        try:
            content = self._files.read(folder + _RULES)
        except OSError:
            return above
        return IgnoreStack(IgnoreFile(content), len(as_bytes_text(folder)), above)


def _by_name(entry: Entry) -> bytes:
    return name_bytes(entry.name)
