"""The regexes of grep: which are right, and what they are in Python where there is no ripgrep.

Both would read most patterns alike and some otherwise, without a word. So a pattern is parsed here by ripgrep's
grammar: what ripgrep refuses is refused, whoever then searches, and in the same words; what Python cannot do alike is
refused where Python would do it. Only whether a line matches counts, so that greedy, lazy and the names of groups mean
nothing.

Python's matcher tries every way to match, which takes for ever where a repetition repeats what can match in several
ways. Such a pattern counts as one that only ripgrep understands.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

import msgspec

from beyond_agent.tools import grep_chars as chars
from beyond_agent.tools.grep_chars import Ranges
from beyond_agent.tools.grep_class import BadPattern, ClassReader, OnlyRipgrep, Source, escaped_code, line_set, literal

_COUNT: Final = re.compile(r"\{\s*([0-9]+)\s*(?:(,)\s*([0-9]*)\s*)?\}")
_NAME: Final = re.compile(r"\?P?<([A-Za-z_][A-Za-z0-9_.\[\]]*)>")
_FLAGS: Final = re.compile(r"\?([A-Za-z-]+)([:)])")
_LARGEST_COUNT: Final = 1000
_DEEPEST_NESTING: Final = 50
_FEW: Final = 4
"""Times that something which can match in several ways may be repeated: the ways are multiplied each time."""
_KELVIN_AND_LONG_S: Final = {0x212A: 0x6B, 0x17F: 0x73}
_DOTLESS_AND_DOTTED: Final = (0x131, 0x130)
"""Letters that Python takes for an `i` where case is ignored, and Unicode's simple folding does not."""


class _Piece(msgspec.Struct, frozen=True, gc=False):
    """A part of a regex. `several` says that it may match one text in several ways.

    `first` is what it may begin with, None where that is not known; it is the empty set for what has no width.
    """

    text: str
    several: bool = False
    first: Ranges | None = None


def python_regex(pattern: str, *, ignore_case: bool, literal_text: bool, ascii_only: bool) -> re.Pattern[str]:
    """Return what finds the lines of a text that ripgrep would find; no match is longer than a line.

    `ascii_only` is for texts of ASCII, faster and with the same answer. Bytes that are part of no character are
    surrogates. Raises BadPattern, OnlyRipgrep.
    """
    text = _Reader(pattern, fold=ignore_case, ascii_only=ascii_only).read(literal_text=literal_text)
    return re.compile(text, re.MULTILINE | (re.ASCII if ascii_only else 0))


def check_pattern(pattern: str, *, literal_text: bool) -> None:
    """Raise BadPattern for what no search understands; what only ripgrep may understand passes."""
    try:
        _Reader(pattern, fold=False, ascii_only=True).read(literal_text=literal_text)
    except OnlyRipgrep:
        return


class _Reader:
    def __init__(self, pattern: str, *, fold: bool, ascii_only: bool) -> None:
        self.source = Source(pattern)
        self.fold = fold
        self.ascii_only = ascii_only
        self.depth = 0
        self.names: set[str] = set()

    def read(self, *, literal_text: bool) -> str:
        if literal_text:
            return "".join(self._char(ord(each)).text for each in self.source.text)
        text = self._either().text
        if self.source.peek():
            raise BadPattern("a ) closes nothing")
        return text

    def _either(self) -> _Piece:
        branches = [self._sequence()]
        while self.source.skip("|"):
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        firsts = [each.first for each in branches]
        known = [each for each in firsts if each]
        spread = sorted(pair for each in known for pair in each)
        apart = all(one[1] < other[0] for one, other in pairwise(spread))
        several = len(known) < len(branches) or not apart or any(each.several for each in branches)
        return _Piece("|".join(each.text for each in branches), several, chars.merged(spread) if apart else None)

    def _sequence(self) -> _Piece:
        pieces: list[_Piece] = []
        can_repeat = False
        while (char := self.source.peek()) and char not in "|)":
            if char in "*+?{":
                if not can_repeat:
                    raise BadPattern(f"nothing stands before {char} to be repeated")
                pieces[-1] = self._repeated(pieces[-1])
                continue
            piece = self._atom(self.source.take())
            can_repeat = piece is not None
            if piece is not None:
                pieces.append(piece)
        first = next((each.first for each in pieces if each.first != []), None)
        return _Piece("".join(each.text for each in pieces), any(each.several for each in pieces), first)

    def _repeated(self, piece: _Piece) -> _Piece:
        least, most = self._count()
        self.source.skip("?")
        if piece.several and (most is None or most > _FEW):
            raise OnlyRipgrep("a repetition of what can match in several ways")
        if max(least, most or 0) > _LARGEST_COUNT:
            raise OnlyRipgrep(f"more than {_LARGEST_COUNT} repetitions")
        times = f"{{{least},{'' if most is None else most}}}"
        first = piece.first if least else None
        return _Piece(f"(?:{piece.text}){times}", piece.several or least != most, first)

    def _count(self) -> tuple[int, int | None]:
        char = self.source.peek()
        if char != "{":
            self.source.take()
            return (1 if char == "+" else 0), (1 if char == "?" else None)
        found = self.source.match(_COUNT)
        if found is None:
            raise BadPattern("a { begins a count such as {2,3}, itself it is \\{")
        least = int(found[1])
        most = None if found[2] and not found[3] else int(found[3] or least)
        if most is not None and most < least:
            raise BadPattern("a count is backwards")
        return least, most

    def _atom(self, char: str) -> _Piece | None:
        if char == "(":
            return self._group()
        if char == "[":
            reader = ClassReader(self.source, fold=self.fold, ascii_only=self.ascii_only)
            return self._set(reader.read(), plain=reader.plain)
        if char == ".":
            return _Piece("." if self.ascii_only else "[^\\n\\ud800-\\udfff]")
        if char in "^$":
            return _Piece(char, first=[])
        return self._escape() if char == "\\" else self._char(ord(char))

    def _group(self) -> _Piece | None:
        """Read what follows a bracket; return None for flags, which are for what follows them."""
        fold = self.fold
        if self.source.peek() == "?" and not self.source.skip("?:") and self._named_or_flags():
            return None
        self.depth += 1
        if self.depth > _DEEPEST_NESTING:
            raise OnlyRipgrep(f"more than {_DEEPEST_NESTING} groups within another")
        inner = self._either()
        if not self.source.skip(")"):
            raise BadPattern("a ( is not closed")
        self.depth -= 1
        self.fold = fold
        return _Piece(f"(?:{inner.text})", inner.several, inner.first)

    def _named_or_flags(self) -> bool:
        """Read `?…`; return whether it was all of a group, flags without a text."""
        if self.source.text.startswith(("?=", "?!", "?<=", "?<!"), self.source.at):
            raise BadPattern("look-around is not supported")
        if (found := self.source.match(_NAME)) is not None:
            if found[1] in self.names:
                raise BadPattern(f"two groups have the name {found[1]}")
            self.names.add(found[1])
            return False
        if (found := self.source.match(_FLAGS)) is None:
            raise BadPattern("a (? begins no group that is known")
        self._flags(found[1])
        return found[2] == ")"

    def _flags(self, flags: str) -> None:
        on, dash, off = flags.partition("-")
        both = on + off
        if (dash and not off) or len(set(both)) < len(both) or not set(both) <= set("imsUuxR"):
            raise BadPattern(f"the flags {flags} are not known")
        if set(both) & set("uxR") or "m" in off:
            raise OnlyRipgrep(f"the flags {flags}")
        self.fold = "i" in on or (self.fold and "i" not in off)

    def _escape(self) -> _Piece:
        char = self.source.peek()
        if char and char in "dDsSwW":
            self.source.take()
            return self._set(line_set(chars.perl(char, ascii_only=self.ascii_only)), plain=char == "s")
        if char and char in "bB<>":
            self.source.take()
            if char == "b" and self.source.peek() == "{":
                raise OnlyRipgrep("\\b{")
            return _Piece(self._boundary(char), first=[])
        return self._char(escaped_code(self.source))

    def _boundary(self, which: str) -> str:
        if self.ascii_only and which != "B":
            # Python's own is much faster. Its `\B` is not in an empty text, ripgrep's is.
            return {"<": r"\b(?=\w)", ">": r"\b(?<=\w)", "b": r"\b"}[which]
        word = "\\w" if self.ascii_only else chars.inside(chars.perl("w", ascii_only=False))
        begins, ends = f"(?<![{word}])(?=[{word}])", f"(?<=[{word}])(?![{word}])"
        if which == "B":
            # Beside a byte that is part of no character there is no such place.
            return f"(?:(?<=[{word}])(?=[{word}])|(?<![{word}\\ud800-\\udfff])(?![{word}\\ud800-\\udfff]))"
        return {"<": begins, ">": ends, "b": f"(?:{begins}|{ends})"}[which]

    def _set(self, ranges: Ranges, *, plain: bool) -> _Piece:
        return _Piece(chars.written(ranges), first=(ranges or None) if plain else None)

    def _char(self, code: int) -> _Piece:
        literal(code)
        if not self.fold:
            return _Piece(chars.char(code), first=[(code, code)])
        code = _KELVIN_AND_LONG_S.get(code, code)
        if code < 0x80:
            return self._set(chars.any_case([(code, code)]), plain=True)
        if code in _DOTLESS_AND_DOTTED:
            return _Piece(chars.char(code), first=[(code, code)])
        return _Piece(f"(?i:{chars.char(code)})")
