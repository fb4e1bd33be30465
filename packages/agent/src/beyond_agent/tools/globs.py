r"""Globs as regexes over whole paths: `*`, `?`, `[a-z]`, `[!a]`, `{a,b}`, `\` before a character, `**` for folders.

`find`, the `glob` of `grep` and the rules of .gitignore share this grammar, which is the one ripgrep reads: `*`
and `?` stay within a name, and `**` spans folders only where it is a whole part of the path, else it is `*`.
"""

from __future__ import annotations

import re
from typing import Final

_NOT_A_SEPARATOR: Final = "[^/]"
_ANY_DEPTH: Final = "(?:[^/]+/)*"
_OPEN: Final = ("(?:", "|")
_DEEPEST_NESTING: Final = 20
"""Braces within braces: more is a slip, and each is a level of recursion in the regex compiler."""


class BadGlob(ValueError):  # noqa: N818 - it says what was met
    """The glob means nothing; the text says why."""


def compile_glob(glob: str) -> re.Pattern[str]:
    """Return a regex for `fullmatch` over a path without leading slash. Raises BadGlob."""
    return re.compile(regex_of(glob), re.DOTALL)


def regex_of(glob: str) -> str:
    """Return the text of that regex, with DOTALL in mind. Raises BadGlob."""
    return _Reader(glob).read()


def path_glob(glob: str) -> re.Pattern[str]:
    """Return a regex for paths below a folder, as `find` and `grep` mean it. Raises BadGlob.

    Without a slash the glob is one of base names; with one it may begin at any depth, unless it starts with `/`, which
    is the folder itself (agent contract, tools: find).
    """
    if glob.startswith("/"):
        return compile_glob(glob.removeprefix("/"))
    return compile_glob(glob if glob.startswith("**/") else f"**/{glob}")


class _Reader:
    """One pass over a glob. `out` is the regex so far; braces are the only thing that nests."""

    def __init__(self, glob: str) -> None:
        self.glob = glob
        self.at = 0
        self.depth = 0
        self.out: list[str] = []

    def read(self) -> str:
        if self.glob == "**/":
            # Folders and then nothing: to ripgrep that is all there is.
            return ".*"
        while self.at < len(self.glob):
            self._one(self.glob[self.at])
        if self.depth:
            raise BadGlob("a { is not closed")
        return "".join(self.out)

    def _one(self, char: str) -> None:
        self.at += 1
        if char == "*":
            self._star()
        elif char == "?":
            self.out.append(_NOT_A_SEPARATOR)
        elif char == "[":
            self.out.append(self._class())
        elif char == "\\":
            if self.at == len(self.glob):
                raise BadGlob("nothing follows the last \\")
            self.out.append(re.escape(self.glob[self.at]))
            self.at += 1
        elif char in "{}," and (char == "{" or self.depth or char == "}"):
            self._brace(char)
        else:
            self.out.append(re.escape(char))

    def _brace(self, char: str) -> None:
        # An alternative of nothing is none, as in ripgrep: `{a,}` is `{a}`.
        if char == ",":
            if self.out[-1] not in _OPEN:
                self.out.append("|")
            return
        self.depth += 1 if char == "{" else -1
        if self.depth < 0:
            raise BadGlob("a } closes nothing")
        if self.depth > _DEEPEST_NESTING:
            raise BadGlob("too many { within another")
        if char == "}" and self.out[-1] == "|":
            self.out.pop()
        self.out.append(_OPEN[0] if char == "{" else ")")

    def _star(self) -> None:
        """Read `*`, or `**` which is special where it fills the space between two separators or an end.

        At the start it takes no or any folders, in the middle too, and at the end whatever is inside.
        """
        start = self.at - 1
        if not self.glob.startswith("*", self.at):
            self.out.append("[^/]*")
            return
        self.at += 1
        before = self.glob[start - 1] if start else ""
        after = self.glob[self.at] if self.at < len(self.glob) else ""
        opens = before in ("", "/") or (self.depth > 0 and before in "{,")
        if not opens or not (after in ("", "/") or (self.depth > 0 and after in ",}")):
            self.out.append("[^/]*")
        elif after == "/":
            self.at += 1
            self.out.append(_ANY_DEPTH)
        else:
            self.out.append(".*" if before != "/" else ".+")

    def _class(self) -> str:
        """Read `[…]`: a `]` or `-` that comes first is itself."""
        negated = self.glob[self.at : self.at + 1] in ("!", "^")
        self.at += negated
        ranges: list[str] = []
        first = True
        while True:
            if self.at >= len(self.glob):
                raise BadGlob("a [ is not closed")
            low = self.glob[self.at]
            self.at += 1
            if low == "]" and not first:
                break
            first = False
            high = low
            if self.glob[self.at : self.at + 1] == "-" and self.glob[self.at + 1 : self.at + 2] not in ("]", ""):
                high = self.glob[self.at + 1]
                self.at += 2
            if high < low:
                raise BadGlob(f"the range {low}-{high} is backwards")
            ranges.append(_char(low) if low == high else f"{_char(low)}-{_char(high)}")
        return f"(?!/)[{'^' if negated else ''}{''.join(ranges)}]"


def _char(char: str) -> str:
    return char if char.isalnum() and char.isascii() else f"\\U{ord(char):08x}"
