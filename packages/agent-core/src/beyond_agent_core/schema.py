"""Arguments checked against a tool's JSON schema before the tool sees them, by a checker compiled once a tool.

A model that is told all its mistakes at once, with the place and what was expected, mends them in one turn. Slips that
have one meaning only are mended here instead; what is mended and what is unknown is left out on a copy, so that the
call in the transcript stays as the model made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from beyond_agent_core.errors import ConfigError, InvalidInput
from beyond_agent_core.schema_compile import Compiler
from beyond_agent_core.schema_rules import Report

if TYPE_CHECKING:
    from collections.abc import Mapping


class Checked(NamedTuple):
    """Arguments as the tool gets them, and the places of arguments that it has no use for."""

    input: dict[str, Any]
    unknown: tuple[str, ...]


class Checker:
    """Checks arguments against `schema`.

    Raises ConfigError naming `field` for a schema that is no object's, or that has a keyword that is not checked here:
    one that is ignored would let through what its author has ruled out.
    """

    __slots__ = ("_check", "_required")

    def __init__(self, schema: Mapping[str, Any], field: str = "input_schema") -> None:
        if schema.get("type") != "object":
            raise ConfigError(field, 'its input schema must have type "object"')
        compiler = Compiler(schema, field)
        try:
            self._check = compiler.compile(schema, "#")
        except RecursionError:
            raise ConfigError(field, "its schema holds itself, or nests too deep") from None
        properties = cast("dict[str, Any]", schema.get("properties", {}))
        self._required = tuple(
            f"{name} ({compiler.words(properties.get(name, True))})" for name in schema.get("required", ())
        )

    def check(self, given: dict[str, Any]) -> Checked:
        """Return what the tool gets of the arguments `given`, which stay as they are.

        Mended are a numeric string or an integral float where an integer is wanted, JSON text where an array or object
        is, and one object where an array of objects is. Raises InvalidInput that lists every fault.
        """
        if not given and self._required:
            raise InvalidInput(f"the arguments are empty; required: {', '.join(self._required)}")
        report = Report(mend=True)
        try:
            checked = self._check(msgspec.to_builtins(given), "", report)
        except RecursionError:
            raise InvalidInput("the arguments are nested too deep") from None
        if report.faults:
            raise InvalidInput("; ".join(report.faults))
        return Checked(checked, tuple(report.unknown))
