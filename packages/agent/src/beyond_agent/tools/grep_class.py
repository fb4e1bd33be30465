"""Escapes and bracketed classes of ripgrep's regexes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from beyond_agent.tools import grep_chars as chars

if TYPE_CHECKING:
    from beyond_agent.tools.grep_chars import Ranges

LINE_END: Final = "a line end cannot be matched, each line is searched by itself"
NUL: Final = "NUL cannot be matched, binary files are skipped"
_HEX: Final = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[xuU]\{([0-9A-Fa-f]{1,8})\}")
_CONTROLS: Final = {"a": 7, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_POSIX: Final = re.compile(r"\[:(\^?)([a-z]+):\]")
_NOTHING: Final = frozenset((0, 10))


class BadPattern(ValueError):  # noqa: N818 - it says what was met
    """No search understands the pattern; the text says why."""


class OnlyRipgrep(ValueError):  # noqa: N818 - it says what was met
    """ripgrep understands the pattern, or may, and Python does not, or not alike; the text says what."""


class Source:
    """A pattern and how far it is read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self, offset: int = 0) -> str:
        """Return a character that comes, the empty string behind the end."""
        return self.text[self.at + offset : self.at + offset + 1]

    def take(self) -> str:
        """Return the next character and go past it."""
        char = self.peek()
        self.at += 1
        return char

    def skip(self, text: str) -> bool:
        """Go past a text if it comes."""
        found = self.text.startswith(text, self.at)
        self.at += len(text) if found else 0
        return found

    def match(self, regex: re.Pattern[str]) -> re.Match[str] | None:
        """Go past what a regex finds here."""
        found = regex.match(self.text, self.at)
        self.at = self.at if found is None else found.end()
        return found


def escaped_code(source: Source) -> int:
    """Return the character that an escape means; the backslash is read. Raises BadPattern, OnlyRipgrep."""
    char = source.peek()
    if char in "xuU" and char:
        found = source.match(_HEX)
        code = 0xD800 if found is None else int(next(filter(None, found.groups())), 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise BadPattern(f"\\{char} is not followed by the number of a character")
        return code
    source.at += 1
    if char in _CONTROLS:
        return _CONTROLS[char]
    if char and char.isascii() and not char.isalnum():
        return ord(char)
    if not char:
        raise BadPattern("nothing follows the last \\")
    if char in "pPAz":
        raise OnlyRipgrep(f"\\{char}")
    raise BadPattern("backreferences are not supported" if char.isdigit() else f"\\{char} means nothing")


def literal(code: int) -> int:
    """Return the code of a character that a line may hold. Raises BadPattern."""
    if code in _NOTHING:
        raise BadPattern(NUL if code == 0 else LINE_END)
    return code


class ClassReader:
    """Reads `[…]`. Sets within sets and operations on them are left to ripgrep."""

    def __init__(self, source: Source, *, fold: bool, ascii_only: bool) -> None:
        self.plain = True
        self._source = source
        self._fold = fold
        self._ascii_only = ascii_only
        self._given: Ranges = []
        self._known: Ranges = []

    def read(self) -> Ranges:
        """Return the set; the bracket is read. `plain` tells whether it is the same in all texts."""
        source = self._source
        negated = source.skip("^")
        # Dashes that come first are themselves, and so is a bracket behind them, of which no range begins.
        while source.skip("-"):
            self._given.append((0x2D, 0x2D))
        if not self._given and source.skip("]"):
            self._given.append((0x5D, 0x5D))
        while not source.skip("]"):
            self._item()
        held = chars.merged([*self._given, *self._known])
        codes = {code for pair in held for code in pair}
        if not negated and len(held) <= 2 and codes <= _NOTHING and all(low == high for low, high in held):
            raise BadPattern(LINE_END if 10 in codes else NUL)
        if self._fold:
            if any(high > 0x7F for _, high in self._given):
                raise OnlyRipgrep("a class of characters beyond ASCII without regard to case")
            held = chars.merged([*chars.any_case(self._given), *self._known])
        return line_set(chars.negated(held) if negated else held)

    def _item(self) -> None:
        source = self._source
        if not source.peek():
            raise BadPattern("a [ is not closed")
        if source.peek() == "[":
            self._posix()
            return
        if source.peek() in "&-~" and source.peek() == source.peek(1):
            raise OnlyRipgrep(f"{source.peek() * 2} in a class")
        low = self._one()
        if source.peek() != "-" or source.peek(1) in ("]", "-", ""):
            if low is not None:
                self._given.append((low, low))
            return
        source.take()
        high = self._one()
        if low is None or high is None:
            raise BadPattern("a range in a class is between two characters")
        if high < low:
            raise BadPattern("a range in a class is backwards")
        self._given.append((low, high))

    def _one(self) -> int | None:
        r"""Read a character, or take a set such as `\d` and return None."""
        char = self._source.take()
        if char != "\\":
            return ord(char)
        char = self._source.peek()
        if char and char in "dDsSwW":
            self._source.take()
            self._known += chars.perl(char, ascii_only=self._ascii_only)
            self.plain = self.plain and char == "s"
            return None
        if char and char in "bBAz<>":
            raise BadPattern(f"\\{char} is no character of a class")
        return escaped_code(self._source)

    def _posix(self) -> None:
        found = self._source.match(_POSIX)
        if found is None or found[2] not in chars.POSIX:
            raise OnlyRipgrep("a class within a class")
        if not found[1]:
            self._given += chars.POSIX[found[2]]
        elif self._fold:
            raise OnlyRipgrep("a class of characters beyond ASCII without regard to case")
        else:
            self._known += chars.negated(chars.POSIX[found[2]])


def line_set(ranges: Ranges) -> Ranges:
    """Return what of a set a line may hold: no line feed, and no byte that is part of no character."""
    return chars.within(ranges, ((0, 9), (11, 0xD7FF), (0xE000, 0x10FFFF)))
