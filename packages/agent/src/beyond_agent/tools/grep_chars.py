r"""Sets of characters, as ripgrep means them, in the notation of Python's regexes.

The two disagree on what `\w` and `\s` are and on case beyond ASCII, so a set is computed here, range by range, and
none is left to Python. In text that is not UTF-8 a byte that is part of no character stands as a surrogate, which no
set holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Ranges: TypeAlias = list[tuple[int, int]]
"""First and last code points, in order, none touching another."""

ASCII: Final = ((0, 0x7F),)
_DIGITS: Final = ((0x30, 0x39),)
_LETTERS: Final = ((0x41, 0x5A), (0x61, 0x7A))
_BLANKS: Final = ((9, 9), (0x20, 0x20))
_PUNCTUATION: Final = ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E))
POSIX: Final = {
    "alnum": (*_DIGITS, *_LETTERS),
    "alpha": _LETTERS,
    "ascii": ASCII,
    "blank": _BLANKS,
    "cntrl": ((0, 0x1F), (0x7F, 0x7F)),
    "digit": _DIGITS,
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": _PUNCTUATION,
    "space": ((9, 13), (0x20, 0x20)),
    "upper": ((0x41, 0x5A),),
    "word": (*_DIGITS, *_LETTERS, (0x5F, 0x5F)),
    "xdigit": (*_DIGITS, (0x41, 0x46), (0x61, 0x66)),
}
"""The classes in `[[:name:]]`, ASCII all of them."""
# White_Space of Unicode, without what Python adds to it.
_SPACES: Final = (
    *((9, 13), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)),
)
# `\w` is Alphabetic, marks, decimal digits, connectors and joiners (UTS 18, annex C). Alphabetic has no category of its
# own: it is letters, letter-like numbers, marks, and these circled and squared letters.
_WORD_CATEGORIES: Final = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nl", "Nd", "Pc"))
_MORE_WORD: Final = (
    *((0x200C, 0x200D), (0x24B6, 0x24E9)),
    *((0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189)),
)
# Beyond these planes nothing is assigned but private characters.
_ASSIGNED: Final = (range(0x80, 0x34000), range(0xE0000, 0xE0200))
_SIMPLE_CASE: Final = {0x4B: 0x212A, 0x6B: 0x212A, 0x53: 0x17F, 0x73: 0x17F}
"""Characters beyond ASCII that are the same as one of ASCII where case is ignored: the Kelvin sign and the long s."""


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return the same set in order, without overlaps."""
    result: Ranges = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return result


def within(ranges: Iterable[tuple[int, int]], bounds: Iterable[tuple[int, int]]) -> Ranges:
    """Return what a set and another have in common."""
    other = list(bounds)
    return merged((max(low, a), min(high, b)) for low, high in ranges for a, b in other if a <= high and low <= b)


def negated(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return all code points that are not in a set."""
    result: Ranges = []
    start = 0
    for low, high in merged(ranges):
        if low > start:
            result.append((start, low - 1))
        start = high + 1
    return [*result, (start, 0x10FFFF)] if start <= 0x10FFFF else result


def perl(letter: str, *, ascii_only: bool) -> Ranges:
    r"""Return the set of `\d`, `\s`, `\w`, or of its capital."""
    if letter.isupper():
        return negated(perl(letter.lower(), ascii_only=ascii_only))
    if letter == "s":
        return merged(_SPACES)
    if ascii_only:
        return merged(POSIX["digit" if letter == "d" else "word"])
    if letter == "d":
        return _categories(frozenset(("Nd",)), _DIGITS)
    return _categories(_WORD_CATEGORIES, (*POSIX["word"], *_MORE_WORD))


def any_case(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return a set of ASCII with the other case of its letters, Kelvin sign and long s included."""
    given = list(ranges)
    # A word character of Unicode has both cases in its set already, so only the letters of ASCII are looked at.
    codes = [code for low, high in within(given, _LETTERS) for code in range(low, high + 1)]
    others = [code ^ 0x20 for code in codes] + [_SIMPLE_CASE[code] for code in codes if code in _SIMPLE_CASE]
    return merged([*given, *((code, code) for code in others)])


def written(ranges: Ranges) -> str:
    """Return a set as a class of a Python regex, in the shorter way; an empty one matches nothing."""
    if not ranges:
        return "(?!)"
    others = negated(ranges)
    return f"[^{inside(others)}]" if others and len(others) < len(ranges) else f"[{inside(ranges)}]"


def inside(ranges: Ranges) -> str:
    """Return what stands between the brackets."""
    return "".join(char(low) if low == high else f"{char(low)}-{char(high)}" for low, high in ranges)


def char(code: int) -> str:
    """Return one character of a Python regex."""
    text = chr(code)
    return text if text.isascii() and text.isalnum() else f"\\U{code:08x}"


def _categories(names: frozenset[str], more: Iterable[tuple[int, int]]) -> Ranges:
    from unicodedata import category  # noqa: PLC0415 - only for text beyond ASCII

    found: Ranges = list(more)
    for plane in _ASSIGNED:
        start = None
        for code in plane:
            if category(chr(code)) in names:
                start = code if start is None else start
            elif start is not None:
                found.append((start, code - 1))
                start = None
        if start is not None:
            found.append((start, plane[-1]))
    return merged(found)
