"""An answer as JSON of a given schema: a tool that takes it and ends the run.

The schema is checked before anything is sent, because a rule that is dropped in silence would let through what its
author has ruled out. Contract: agent contract, run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from beyond_agent.errors import UsageError
from beyond_agent_core.errors import ConfigError
from beyond_agent_core.schema import Checker
from beyond_agent_core.tools import ToolOutput

if TYPE_CHECKING:
    from beyond_agent_core.tools import ToolContext

NAME: Final = "structured_output"
MISSING: Final = "structured_output_missing"
"""What a run fails with that gave no valid answer; both are wire format (agent contract, run)."""
REMINDERS: Final = 2
"""How often the model is reminded, the same section."""
REMINDER: Final = f"Call the tool {NAME} now with your answer: the job ends with that call only."
_DESCRIPTION: Final = "Give the final answer of the job. Call it once, when the work is done."


class StructuredOutput:
    """The tool. `answered` says whether it has been called with a valid answer, which is `payload` then."""

    name = NAME
    read_only = True
    """To give the answer changes nothing that a person would be asked about."""

    def __init__(self, schema: dict[str, Any], description: str | None) -> None:
        self.description = f"{_DESCRIPTION} {description}" if description else _DESCRIPTION
        self._wrapped = schema.get("type") != "object"
        self.input_schema = _wrapping(schema) if self._wrapped else schema
        self.answered = False
        self.payload: Any = None

    def run(self, given: dict[str, Any], _: ToolContext) -> ToolOutput:
        """Take the answer and end the run."""
        self.payload = given["value"] if self._wrapped else given
        self.answered = True
        return ToolOutput(text="answer taken", terminate=True)

    def __repr__(self) -> str:
        return f"<StructuredOutput answered={self.answered}>"


def tool_for(text: str, description: str | None, cwd: str) -> StructuredOutput:
    """Return the tool for a schema, given as JSON or as the path of a file. Raises UsageError."""
    schema = _schema(text, cwd)
    made = StructuredOutput(schema, description)
    try:
        Checker(made.input_schema, "--output-schema")
    except ConfigError as error:
        raise UsageError(str(error)) from None
    return made


def _schema(text: str, cwd: str) -> dict[str, Any]:
    source = "--output-schema"
    content = text.encode("utf-8", "surrogateescape")
    if not text.lstrip().startswith(("{", "true", "false")):
        path = os.path.join(cwd, os.path.expanduser(text))  # noqa: PTH111, PTH118 - paths are text here
        source = f"{source}: {text}"
        try:
            with open(path, "rb") as file:  # noqa: PTH123 - as above
                content = file.read()
        except OSError as error:
            raise UsageError(f"{source}: {error.strerror}; give a schema as JSON, or the path of one") from None
    try:
        schema = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{source}: is no JSON: {error}") from None
    if not isinstance(schema, dict):
        raise UsageError(f"{source}: must be a JSON object, as {{'type': 'object', …}}")
    return cast("dict[str, Any]", schema)


def _wrapping(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that holds a value of this one, whose references still lead where they did."""
    inner = {key: value for key, value in schema.items() if key not in ("$defs", "definitions", "$schema")}
    outer = {key: schema[key] for key in ("$defs", "definitions", "$schema") if key in schema}
    return {**outer, "type": "object", "properties": {"value": inner}, "required": ["value"]}
