"""The rules of a JSON schema, one a keyword: each looks at a value at a place and reports what is wrong with it.

A rule gives back the value as it goes on: mended, or without what is unknown. It builds new containers and changes
none, so that alternatives can be tried on one value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SHOWN: Final = 60
"""Characters of a wrong value that a fault shows."""
_INTEGER = re.compile(r"\s*-?[0-9]{1,18}(?:\.0*)?\s*")
_NAMES: Final[dict[type, str]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
    type(None): "null",
}


class Report:
    """What is wrong, a sentence each, and the places of unknown arguments; `mend` says whether slips are mended."""

    __slots__ = ("faults", "mend", "unknown")

    def __init__(self, *, mend: bool) -> None:
        self.mend = mend
        self.faults: list[str] = []
        self.unknown: list[str] = []

    def expected(self, path: str, words: str, value: object) -> None:
        """Add that `words` were expected at `path`."""
        self.faults.append(f"{path or 'the input'}: expected {words}, got {shown(value)}")


Check: TypeAlias = "Callable[[Any, str, Report], Any]"
"""Looks at a value at a path; returns the value as it goes on."""


def shown(value: object) -> str:
    """Return a value as JSON, short enough for a sentence."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def kind_of(value: object) -> str:
    """Return the schema's word for the type of a value."""
    return _NAMES.get(type(value), type(value).__name__)


def same(one: object, other: object) -> bool:
    """Whether two values are equal in JSON, where true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def typed(kinds: frozenset[str], words: str, *, of_objects: bool) -> Check:
    """Return the rule of `type`; `of_objects` says that an array holds objects."""

    def check(value: Any, path: str, report: Report) -> Any:
        for candidate in (value, *(_mended(value, kinds, of_objects=of_objects) if report.mend else ())):
            kind = kind_of(candidate)
            if kind in kinds or (kind == "integer" and "number" in kinds):
                return candidate
        report.expected(path, words, value)
        return value

    return check


def _mended(value: Any, kinds: frozenset[str], *, of_objects: bool) -> list[Any]:
    """Return what a value may have been meant to be."""
    meant: list[Any] = []
    if "integer" in kinds:
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            meant.append(int(value.partition(".")[0]))
        elif isinstance(value, float) and value.is_integer():
            meant.append(int(value))
    if isinstance(value, str) and kinds & {"array", "object"}:
        try:
            meant.append(msgspec.json.decode(value))
        except (msgspec.MsgspecError, ValueError):
            return meant
    if "array" in kinds and of_objects:
        meant += [[one] for one in (*meant, value) if isinstance(one, dict)]
    return meant


def one_of(allowed: Sequence[object], words: str) -> Check:
    """Return the rule of `enum` and `const`."""

    def check(value: Any, path: str, report: Report) -> Any:
        if not any(same(value, each) for each in allowed):
            report.expected(path, words, value)
        return value

    return check


def measured(of: tuple[type, ...], holds: Callable[[Any], bool], words: str) -> Check:
    """Return a rule for values of some types only, such as a bound of a number or the length of a string."""

    def check(value: Any, path: str, report: Report) -> Any:
        if isinstance(value, of) and not isinstance(value, bool) and not holds(value):
            report.expected(path, words, value)
        return value

    return check


def items(first: Sequence[Check], rest: Check | None) -> Check:
    """Return the rule of `prefixItems` and `items`; without `rest` further items are free."""

    def check(value: Any, path: str, report: Report) -> Any:
        if not isinstance(value, list):
            return value
        out: list[Any] = []
        for at, item in enumerate(cast("list[Any]", value)):
            rule = first[at] if at < len(first) else rest
            out.append(item if rule is None else rule(item, f"{path}[{at}]", report))
        return out

    return check


def fields(
    properties: Mapping[str, Check], required: Sequence[tuple[str, str]], others: Check | None, *, closed: bool
) -> Check:
    """Return the rule of an object's properties; `required` are names and the words for what is expected of each.

    A property without a rule of its own goes through `others`, or is left out and reported where the object is
    `closed`.
    """

    def check(value: Any, path: str, report: Report) -> Any:
        if not isinstance(value, dict):
            return value
        given = cast("dict[str, Any]", value)
        prefix = f"{path}." if path else ""
        for name, words in required:
            if name not in given:
                report.faults.append(f"{prefix}{name}: missing, expected {words}")
        out: dict[str, Any] = {}
        for name, inner in given.items():
            rule = properties.get(name, others)
            if rule is not None:
                out[name] = rule(inner, prefix + name, report)
            elif closed:
                report.unknown.append(prefix + name)
            else:
                out[name] = inner
        return out

    return check


def alternatives(rules: Sequence[tuple[Check, frozenset[str]]], words: str, *, exactly_one: bool) -> Check:
    """Return the rule of `anyOf` and `oneOf`: rules with the types that each takes, none named where any.

    As given goes before mended, and of several that hold the one that leaves least out.
    """

    def check(value: Any, path: str, report: Report) -> Any:
        for mend in (False, True) if report.mend else (False,):
            held: list[tuple[Any, Report]] = []
            for rule, _ in rules:
                trial = Report(mend=mend)
                tried = rule(value, path, trial)
                if not trial.faults:
                    held.append((tried, trial))
            if held and exactly_one and not mend and len(held) > 1:
                report.expected(path, f"exactly one of: {words}", value)
                return value
            if held:
                best, trial = min(held, key=lambda each: len(each[1].unknown))
                report.unknown += trial.unknown
                return best
        near = [rule for rule, kinds in rules if kind_of(value) in kinds]
        if len(near) == 1:
            return near[0](value, path, report)
        report.expected(path, words, value)
        return value

    return check
