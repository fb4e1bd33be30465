"""What the value of a setting may be: read from text (a flag, a variable) or from a typed value (a file).

A kind says in `expected` what would have been right, so that every fault names its mending.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from beyond_agent.options import TOOL_NAMES
from beyond_agent_core.limits import Prices
from beyond_wire.types import EFFORTS

if TYPE_CHECKING:
    from collections.abc import Callable

SWITCH: Final = "switch"


class Kind(NamedTuple):
    """`text` and `value` return what is stored; they raise ValueError for what is not `expected`."""

    metavar: str
    expected: str
    text: Callable[[str], Any]
    value: Callable[[Any], Any]


def _of(metavar: str, expected: str, text: Callable[[str], Any], *types: type) -> Kind:
    """Return a kind whose typed values are of `types`, and judged by their text."""

    def value(given: Any) -> Any:
        if not isinstance(given, types) or (isinstance(given, bool) and bool not in types):
            raise ValueError
        return text(str(given))

    return Kind(metavar, expected, text, value)


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not least <= number < 2**53:
            raise ValueError
        return number

    return read


def _number(least: float, *, above: bool) -> Callable[[str], float]:
    def read(text: str) -> float:
        number = float(text)
        if not math.isfinite(number) or number < least or (above and number == least):
            raise ValueError
        return number

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return read


def _some(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise ValueError
    return text


def _names(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names or any(name not in TOOL_NAMES for name in names):
        raise ValueError
    return names


def _approve(text: str) -> str:
    gated = text.removeprefix("tools:")
    if text not in {"off", "writes", "all"} and (gated == text or not _names(gated)):
        raise ValueError
    return text


def _prices(text: str) -> Prices:
    read = _number(0, above=False)
    parts = [read(part) for part in text.split(",")]
    if not 2 <= len(parts) <= 4:
        raise ValueError
    named = dict(zip(("input", "output", "cache_read", "cache_write"), parts, strict=False))
    # What a cache keeps for an hour is not dearer than an entry of its own says, where none is given.
    return Prices(**named, cache_write_1h=named.get("cache_write", 0.0))


def _yes(text: str) -> bool:
    lowered = text.lower()
    if lowered in {"1", "true", "yes", "on"}:
        return True
    if lowered in {"", "0", "false", "no", "off"}:
        return False
    raise ValueError


def _truth(given: Any) -> bool:
    if not isinstance(given, bool):
        raise ValueError  # noqa: TRY004 - the one answer of a kind
    return given


def many(kind: Kind) -> Kind:
    """Return the kind of a setting that may be given several times: a list in a file, one in a variable."""

    def value(given: Any) -> tuple[Any, ...]:
        if not isinstance(given, list):
            raise ValueError  # noqa: TRY004 - the one answer of a kind
        return tuple(kind.value(each) for each in cast("list[Any]", given))

    def text(given: str) -> tuple[Any, ...]:
        return (kind.text(given),)

    return Kind(kind.metavar, f"a list, each {kind.expected}", text, value)


TEXT: Final = _of("TEXT", "a text that is not empty", _some, str)
ANY_TEXT: Final = _of("TEXT", "a text", str, str)
PATH: Final = TEXT._replace(metavar="PATH", expected="a path")
COUNT: Final = _of("N", "a whole number of at least 1", _whole(1), int)
COUNT_FROM_0: Final = _of("N", "a whole number of at least 0", _whole(0), int)
MILLIS: Final = COUNT._replace(metavar="MS", expected="a whole number of milliseconds, at least 1")
SECONDS: Final = _of("SECONDS", "a number of seconds above 0", _number(0, above=True), int, float)
SECONDS_FROM_0: Final = _of("SECONDS", "a number of seconds, 0 or above", _number(0, above=False), int, float)
AMOUNT: Final = _of("AMOUNT", "a number above 0", _number(0, above=True), int, float)
NUMBER_FROM_0: Final = _of("X", "a number, 0 or above", _number(0, above=False), int, float)
PRICES: Final = _of("IN,OUT[,READ,WRITE]", "two to four prices of a million tokens, as 3,15,0.3,3.75", _prices, str)
DIALECT: Final = _of("NAME", "anthropic, chat or responses", _one_of("anthropic", "chat", "responses"), str)
EFFORT: Final = _of("LEVEL", f"off, {', '.join(EFFORTS)}", _one_of("off", *EFFORTS), str)
NAMES: Final = _of("A,B", f"names of tools, separated by commas: {', '.join(TOOL_NAMES)}", _names, str)
APPROVE: Final = _of("WHAT", f"off, writes, all or tools:A,B with names of {', '.join(TOOL_NAMES)}", _approve, str)
SWITCHED: Final = Kind(SWITCH, "true or false", _yes, _truth)
