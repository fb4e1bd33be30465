"""Arguments against a schema: every fault with its place, slips mended on a copy, no keyword ignored."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_agent_core.errors import ConfigError, InvalidInput
from beyond_agent_core.schema import Checker


def checker(required: str = "", **properties: Any) -> Checker:
    return Checker({"type": "object", "properties": properties, "required": required.split()})


def faults(of: Checker, **arguments: Any) -> str:
    with pytest.raises(InvalidInput) as told:
        of.check(arguments)
    return str(told.value)


TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
EDIT = {"type": "object", "properties": {"old": TEXT, "new": TEXT}, "required": ["old"]}
EDITS = {"type": "array", "items": EDIT}


def test_every_fault_is_told_with_its_place() -> None:
    """Also those inside, and what is missing."""
    of = checker("path edits", path=TEXT, limit=WHOLE, edits=EDITS)
    assert faults(of, limit="many", edits=[{"old": 1}, {"new": "x"}]) == (
        'path: missing, expected string; limit: expected integer, got "many"; '
        "edits[0].old: expected string, got 1; edits[1].old: missing, expected string"
    )


def test_empty_arguments_are_told_apart() -> None:
    """A model that sent none is told what is wanted, not a list of faults; where nothing is wanted none is a call."""
    assert faults(checker("path lines", path=TEXT, lines={"type": "array", "items": WHOLE})) == (
        "the arguments are empty; required: path (string), lines (array of integer)"
    )
    assert checker(path=TEXT).check({}) == ({}, ())


@pytest.mark.parametrize(
    ("schema", "slip", "meant"),
    [
        (WHOLE, "12", 12),
        (WHOLE, " -3 ", -3),
        (WHOLE, "7.0", 7),
        (WHOLE, 4.0, 4),
        ({"type": ["integer", "null"]}, "5", 5),
        ({"anyOf": [WHOLE, {"type": "null"}]}, "5", 5),
        ({"type": "array", "items": TEXT}, '["a", "b"]', ["a", "b"]),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
        (EDITS, {"old": "a"}, [{"old": "a"}]),
        (EDITS, '{"old": "a"}', [{"old": "a"}]),
        (EDITS, '[{"old": "a"}]', [{"old": "a"}]),
        ({"type": "array", "items": {"$ref": "#/$defs/Edit"}}, {"old": "a"}, [{"old": "a"}]),
    ],
)
def test_a_harmless_slip_is_mended_on_a_copy(schema: dict[str, Any], slip: object, meant: object) -> None:
    """What has one meaning is taken so, inside and at the top; the call itself stays as the model made it."""
    of = Checker({"type": "object", "properties": {"x": schema}, "$defs": {"Edit": EDIT}})
    arguments = {"x": slip}
    before = copy.deepcopy(arguments)
    got = of.check(arguments).input["x"]
    assert got == meant
    assert type(got) is type(meant)
    assert arguments == before


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        (WHOLE, 1.5),
        (WHOLE, "1.5"),
        (WHOLE, "0x10"),
        (WHOLE, True),
        (WHOLE, "9" * 40),
        ({"type": "number"}, "1"),
        (TEXT, 1),
        (TEXT, None),
        ({"type": "boolean"}, "true"),
        ({"type": "array", "items": TEXT}, "a"),
        ({"type": "array", "items": TEXT}, '{"a": 1}'),
        ({"type": "array", "items": TEXT}, {"a": 1}),
        ({"type": "object"}, "[1]"),
        ({"enum": [1, "a"]}, True),
        ({"const": "a"}, "b"),
        ({"type": "integer", "minimum": 1}, 0),
        ({"type": "integer", "minimum": 1}, "0"),
        ({"type": "integer", "maximum": 1}, 2),
        ({"type": "number", "exclusiveMinimum": 1}, 1),
        ({"type": "number", "exclusiveMaximum": 1}, 1),
        ({"type": "integer", "multipleOf": 5}, 7),
        ({"type": "string", "minLength": 1}, ""),
        ({"type": "string", "maxLength": 1}, "ab"),
        ({"type": "string", "pattern": "^a"}, "ba"),
        ({"type": "array", "minItems": 1}, []),
        ({"type": "array", "maxItems": 1}, [1, 2]),
        ({"type": "array", "uniqueItems": True}, [1, 1]),
        ({"type": "array", "prefixItems": [WHOLE, TEXT], "items": False}, [1, 2]),
        ({"type": "array", "prefixItems": [WHOLE], "items": False}, [1, 2]),
        ({"type": "object", "minProperties": 1}, {}),
        ({"type": "object", "maxProperties": 1}, {"a": 1, "b": 2}),
        ({"type": "object", "additionalProperties": WHOLE}, {"a": "b"}),
        ({"type": "object", "propertyNames": {"maxLength": 1}}, {"ab": 1}),
        ({"anyOf": [WHOLE, EDITS]}, None),
        ({"oneOf": [{"minimum": 1}, {"maximum": 5}]}, 3),
        ({"allOf": [{"minimum": 1}, {"maximum": 5}]}, 7),
        ({"$ref": "#/$defs/Edit"}, {"new": "x"}),
    ],
)
def test_each_keyword_rules_out_what_it_says(schema: dict[str, Any], wrong: object) -> None:
    """One fault each, at its place; nothing that could mean two things is mended."""
    of = Checker({"type": "object", "properties": {"x": schema}, "$defs": {"Edit": EDIT}})
    text = faults(of, x=wrong)
    assert text.startswith("x")
    assert "; " not in text


def test_the_fault_of_an_alternative_is_that_of_the_near_one() -> None:
    """A list with a wrong entry is told so, not that it might have been nothing."""
    of = checker(edits={"anyOf": [EDITS, {"type": "null"}]}, mode={"oneOf": [{"const": "a"}, {"const": "b"}]})
    assert faults(of, edits=[{"old": 1}]) == "edits[0].old: expected string, got 1"
    assert faults(of, edits=3) == "edits: expected array of object or null, got 3"
    assert faults(of, mode="c") == 'mode: expected "a" or "b", got "c"'


def test_unknown_arguments_are_left_out_and_named() -> None:
    """At every depth where the properties are told; a free object keeps all it has."""
    of = checker(
        path=TEXT, edits=EDITS, free={"type": "object"}, more={"type": "object", "additionalProperties": WHOLE}
    )
    got, unknown = of.check(
        {"path": "a", "paht": 1, "edits": [{"old": "x", "odl": 2}], "free": {"any": 1}, "more": {"n": "2"}}
    )
    assert got == {"path": "a", "edits": [{"old": "x"}], "free": {"any": 1}, "more": {"n": 2}}
    assert unknown == ("paht", "edits[0].odl")
    assert Checker({"type": "object"}).check({"any": 1}) == ({"any": 1}, ())


def test_of_alternatives_the_one_that_leaves_least_out_is_taken() -> None:
    """Two kinds of object that share a property."""
    small = {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}
    large = {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["a"]}
    got, unknown = checker(x={"anyOf": [small, large]}).check({"x": {"a": "1", "b": "2"}})
    assert (got, unknown) == ({"x": {"a": "1", "b": "2"}}, ())


def test_a_definition_may_hold_itself() -> None:
    """A tree is checked to its leaves, and nesting without end is a fault of the input."""
    tree = {"type": "object", "properties": {"sub": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}, "n": WHOLE}}
    of = Checker({"type": "object", "properties": {"tree": {"$ref": "#/$defs/Tree"}}, "$defs": {"Tree": tree}})
    assert of.check({"tree": {"sub": [{"sub": [{"n": "3"}]}]}}).input == {"tree": {"sub": [{"sub": [{"n": 3}]}]}}
    assert faults(of, tree={"sub": [{"n": "x"}]}) == 'tree.sub[0].n: expected integer, got "x"'
    deep: dict[str, Any] = {}
    for _ in range(900):
        deep = {"sub": [deep]}
    assert faults(of, tree=deep) == "the arguments are nested too deep"


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string"}, 'its input schema must have type "object"'),
        ({"type": "object", "patternProperties": {}}, "schema keyword patternProperties at # is not supported"),
        ({"type": "object", "properties": {"a": {"not": {}}}}, "schema keyword not at #/properties/a is not supported"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, 'type "text" is none of JSON schema\'s'),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}, "$ref #/$defs/A leads nowhere"),
        ({"type": "object", "properties": {"a": {"pattern": "("}}}, "#/properties/a/pattern: "),
        ({"type": "object", "properties": {"a": {"minimum": "1"}}}, "#/properties/a/minimum must be a number"),
        ({"type": "object", "properties": {"a": 1}}, "#/properties/a must be an object"),
        (
            {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"$ref": "#/$defs/A"}}},
            "its definitions refer to one another in a circle",
        ),
    ],
)
def test_what_cannot_be_checked_is_refused_at_once(schema: dict[str, Any], text: str) -> None:
    """With the field and the place in the schema."""
    with pytest.raises(ConfigError) as told:
        Checker(schema, "tools.x")
    assert str(told.value).startswith(f"tools.x: {text}")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["old", "new", "z"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["path", "n", "edits", "other"]), VALUES))
def test_whatever_a_model_sends_is_mended_once_or_refused(arguments: dict[str, Any]) -> None:
    """Nothing else is raised, the input stays, and what has passed passes again as it is."""
    of = checker("path", path=TEXT, n={"anyOf": [WHOLE, {"type": "null"}]}, edits=EDITS)
    before = copy.deepcopy(arguments)
    try:
        got = of.check(arguments).input
    except InvalidInput:
        got = None
    assert arguments == before
    if got is not None:
        assert of.check(got) == (got, ())


@pytest.mark.parametrize("bound", [5, 2.5])
def test_a_number_beyond_all_floats_is_a_multiple_or_not(bound: float) -> None:
    """JSON has no largest integer, and a model may write any."""
    of = checker(n={"type": "integer", "multipleOf": bound})
    assert of.check({"n": 10**400}).input == {"n": 10**400}
    assert faults(of, n=10**400 + 1).startswith(f"n: expected a multiple of {bound}, got 1000")
