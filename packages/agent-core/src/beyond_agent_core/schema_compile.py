"""A JSON schema turned into rules, once; a keyword that has no rule is refused, never ignored."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from beyond_agent_core.errors import ConfigError
from beyond_agent_core.schema_rules import (
    Check,
    Report,
    alternatives,
    fields,
    items,
    kind_of,
    measured,
    one_of,
    same,
    shown,
    typed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KINDS: Final = frozenset(("string", "integer", "number", "boolean", "array", "object", "null"))
_NOTES = """
title description default examples format deprecated readOnly writeOnly contentEncoding contentMediaType discriminator
$schema $id $comment $defs definitions
"""
_RULES = """
type enum const pattern uniqueItems properties required additionalProperties propertyNames items prefixItems anyOf
oneOf allOf $ref
"""
_SIZES: Final[dict[str, tuple[tuple[type, ...], Callable[[Any, Any], bool], str]]] = {
    "minimum": ((int, float), lambda value, bound: value >= bound, "at least {}"),
    "maximum": ((int, float), lambda value, bound: value <= bound, "at most {}"),
    "exclusiveMinimum": ((int, float), lambda value, bound: value > bound, "more than {}"),
    "exclusiveMaximum": ((int, float), lambda value, bound: value < bound, "less than {}"),
    "multipleOf": ((int, float), lambda value, bound: _divides(bound, value), "a multiple of {}"),
    "minLength": ((str,), lambda value, bound: len(value) >= bound, "at least {} characters"),
    "maxLength": ((str,), lambda value, bound: len(value) <= bound, "at most {} characters"),
    "minItems": ((list,), lambda value, bound: len(value) >= bound, "at least {} items"),
    "maxItems": ((list,), lambda value, bound: len(value) <= bound, "at most {} items"),
    "minProperties": ((dict,), lambda value, bound: len(value) >= bound, "at least {} properties"),
    "maxProperties": ((dict,), lambda value, bound: len(value) <= bound, "at most {} properties"),
}
KEYWORDS: Final = frozenset([*_NOTES.split(), *_RULES.split(), *_SIZES])
"""What a schema may have; the notes say something and rule nothing out."""


class Compiler:
    """Makes rules of the schemas within `root`. Raises ConfigError with `field` and the place of what is no schema."""

    def __init__(self, root: Mapping[str, Any], field: str) -> None:
        self._root = root
        self._field = field
        self._definitions: dict[str, list[Check]] = {}

    def compile(self, schema: Any, where: str) -> Check:
        """Return the rule of one schema; `where` is its place."""
        if schema is False:
            return _nothing
        if schema is True:
            return _anything
        node = self._node(schema, where)
        rules = [*self._plain(node, where), *self._containers(node, where), *self._combined(node, where)]
        kinds = self.kinds(node)
        if not kinds or "$ref" in node:
            return _in_turn(rules)
        of_objects = "array" in kinds and "object" in self.kinds(node.get("items", True))
        fits, rest = typed(kinds, self.words(node), of_objects=of_objects), _in_turn(rules)

        def check(value: Any, path: str, report: Report) -> Any:
            before = len(report.faults)
            fitting = fits(value, path, report)
            return rest(fitting, path, report) if len(report.faults) == before else fitting

        return check

    def kinds(self, schema: Any) -> frozenset[str]:
        """Return the types that a schema names; none where it names none."""
        node = self._resolved(schema)
        named: object = node.get("type", ())
        kinds = frozenset([named] if isinstance(named, str) else cast("list[str]", named))
        if not kinds <= KINDS:
            raise self._refused(f"type {shown(named)} is none of JSON schema's")
        return kinds

    def words(self, schema: Any) -> str:
        """Return what a schema expects, in words."""
        node = self._resolved(schema)
        if "enum" in node:
            return "one of " + ", ".join(map(shown, node["enum"]))
        if "const" in node:
            return shown(node["const"])
        for keyword in ("anyOf", "oneOf"):
            if keyword in node:
                return " or ".join(dict.fromkeys(map(self.words, node[keyword])))
        kinds = sorted(self.kinds(node))
        if kinds == ["array"] and (of := sorted(self.kinds(node.get("items", True)))):
            return f"array of {' or '.join(of)}"
        return " or ".join(kinds) or "a value"

    # -- keywords

    def _plain(self, node: dict[str, Any], where: str) -> list[Check]:
        """Rules that look at the value itself."""
        rules: list[Check] = []
        if "enum" in node or "const" in node:
            allowed: list[object] = node["enum"] if "enum" in node else [node["const"]]
            rules.append(one_of(allowed, self.words(node)))
        for keyword, (of, holds, words) in _SIZES.items():
            if keyword in node:
                rules.append(self._size(node[keyword], of, holds, words, f"{where}/{keyword}"))
        if "pattern" in node:
            try:
                pattern = re.compile(str(node["pattern"]))
            except re.error as error:
                raise self._refused(f"{where}/pattern: {error}") from None
            rules.append(measured((str,), lambda value: bool(pattern.search(value)), f"a match of {pattern.pattern}"))
        if node.get("uniqueItems"):
            rules.append(measured((list,), _distinct, "items that differ"))
        return rules

    def _size(
        self, bound: object, of: tuple[type, ...], holds: Callable[[Any, Any], bool], words: str, where: str
    ) -> Check:
        if not isinstance(bound, int | float) or isinstance(bound, bool):
            raise self._refused(f"{where} must be a number")
        if bound <= 0 and where.endswith("multipleOf"):
            raise self._refused(f"{where} must be above 0")
        return measured(of, lambda value: holds(value, bound), words.format(shown(bound)))

    def _containers(self, node: dict[str, Any], where: str) -> list[Check]:
        """Rules of what an object or an array holds."""
        rules: list[Check] = []
        if "properties" in node or "required" in node or "additionalProperties" in node:
            properties = {
                name: self.compile(inner, f"{where}/properties/{name}")
                for name, inner in self._mapping(node.get("properties", {}), f"{where}/properties").items()
            }
            required = [
                (name, self.words(node.get("properties", {}).get(name, True))) for name in node.get("required", ())
            ]
            more = node.get("additionalProperties", False)
            closed = "properties" in node and more is False
            others = None if isinstance(more, bool) else self.compile(more, f"{where}/additionalProperties")
            rules.append(fields(properties, required, others, closed=closed))
        if "propertyNames" in node:
            rules.append(_names(self.compile(node["propertyNames"], f"{where}/propertyNames")))
        if "items" in node or "prefixItems" in node:
            first = [self.compile(inner, f"{where}/prefixItems") for inner in node.get("prefixItems", ())]
            rest = self.compile(node["items"], f"{where}/items") if "items" in node else None
            rules.append(items(first, rest))
        return rules

    def _combined(self, node: dict[str, Any], where: str) -> list[Check]:
        """Rules made of other schemas."""
        rules: list[Check] = []
        if "$ref" in node:
            rules.append(self._reference(str(node["$ref"])))
        rules += [self.compile(inner, f"{where}/allOf") for inner in node.get("allOf", ())]
        for keyword in ("anyOf", "oneOf"):
            if keyword in node:
                branches = [(self.compile(inner, f"{where}/{keyword}"), self.kinds(inner)) for inner in node[keyword]]
                rules.append(alternatives(branches, self.words(node), exactly_one=keyword == "oneOf"))
        return rules

    # -- places

    def _reference(self, reference: str) -> Check:
        """Return the rule of a definition, which may hold itself: it is looked up when it is used."""
        holder = self._definitions.get(reference)
        if holder is None:
            holder = self._definitions[reference] = []
            holder.append(self.compile(self._definition(reference), reference))

        def check(value: Any, path: str, report: Report) -> Any:
            return holder[0](value, path, report)

        return check

    def _definition(self, reference: str) -> Any:
        found: Any = self._root
        for step in reference.removeprefix("#/").split("/"):
            found = (_object(found) or {}).get(step)
        if found is None or not reference.startswith("#/"):
            raise self._refused(f"$ref {reference} leads nowhere")
        return found

    def _resolved(self, schema: Any) -> dict[str, Any]:
        """Return a schema, or the one that it refers to."""
        for _ in range(len(self._root.get("$defs", ())) + len(self._root.get("definitions", ())) + 1):
            node = _object(schema) or {}
            if "$ref" not in node:
                return node
            schema = self._definition(str(node["$ref"]))
        raise self._refused("its definitions refer to one another in a circle")

    def _node(self, schema: Any, where: str) -> dict[str, Any]:
        node = self._mapping(schema, where)
        for keyword in node:
            if keyword not in KEYWORDS:
                raise self._refused(f"schema keyword {keyword} at {where} is not supported")
        return node

    def _mapping(self, value: Any, where: str) -> dict[str, Any]:
        node = _object(value)
        if node is None:
            raise self._refused(f"{where} must be an object")
        return node

    def _refused(self, text: str) -> ConfigError:
        return ConfigError(self._field, text)


def _object(value: object) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _in_turn(rules: list[Check]) -> Check:
    if len(rules) == 1:
        return rules[0]

    def check(value: Any, path: str, report: Report) -> Any:
        for rule in rules:
            value = rule(value, path, report)
        return value

    return check


def _anything(value: Any, _path: str, _report: Report) -> Any:
    return value


def _nothing(value: Any, path: str, report: Report) -> Any:
    report.faults.append(f"{path or 'the input'}: must be left out")
    return value


def _names(rule: Check) -> Check:
    def check(value: Any, path: str, report: Report) -> Any:
        for name in _object(value) or ():
            rule(name, f"{path}.{name}" if path else name, report)
        return value

    return check


def _divides(bound: float, value: float) -> bool:
    try:
        return (value / bound).is_integer()
    except OverflowError:
        # A whole number beyond what a float holds.
        above, below = bound.as_integer_ratio()
        return int(value) * below % above == 0


def _distinct(values: list[Any]) -> bool:
    return not any(
        kind_of(one) == kind_of(other) and same(one, other)
        for at, one in enumerate(values)
        for other in values[at + 1 :]
    )
