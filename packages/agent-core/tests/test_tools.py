"""The tool seam: a tool made of a function, what a registry takes, what a context tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import pytest

from beyond_agent_core.errors import ConfigError, InvalidInput
from beyond_agent_core.tools import ToolContext, ToolRegistry, tool

if TYPE_CHECKING:
    from beyond_agent_core.tools import ToolOutput

CONTEXT = ToolContext("call_0", vision=False, cancelled=lambda: False, progress=lambda _text, _details: None)


class Edit(msgspec.Struct):
    old: str
    new: str = ""


def test_a_function_is_a_tool() -> None:
    """Its name, its docstring and a schema of its parameters; defaults and the context are not asked for."""

    @tool
    def edit(  # noqa: PLR0917 - each kind of parameter
        path: str,
        edits: list[Edit],
        context: ToolContext,
        mode: Literal["a", "b"] = "a",
        limit: Annotated[int, msgspec.Meta(ge=1, description="lines")] = 5,
        note: str | None = None,
    ) -> ToolOutput:
        """Edit a file.

        In place.
        """
        return f"{path} {edits[0].old} {context.call_id} {mode} {limit} {note}"  # pyright: ignore[reportReturnType] - what it returns is not looked at

    assert (edit.name, edit.description) == ("edit", "Edit a file.\n\nIn place.")
    schema = edit.input_schema
    assert (schema["type"], schema["required"]) == ("object", ["path", "edits"])
    assert list(schema["properties"]) == ["path", "edits", "mode", "limit", "note"]
    assert schema["properties"]["limit"] == {"type": "integer", "minimum": 1, "description": "lines", "default": 5}
    checked = ToolRegistry([edit]).check("edit", {"path": "p", "edits": {"old": "o"}, "limit": "3", "x": 1})
    assert checked.unknown == ("x",)
    assert edit.run(checked.input, CONTEXT) == "p o call_0 a 3 None"


def test_a_function_tool_told_directly_refuses_what_it_cannot_take() -> None:
    """Without a registry the types are the last word, and the fault is the input's."""

    @tool
    def read(path: str) -> str:
        """Read."""
        return path

    with pytest.raises(InvalidInput, match="Expected `str`, got `int`"):
        read.run({"path": 1}, CONTEXT)


def test_options_of_a_tool() -> None:
    """What a turn needs to know of its calls beforehand."""

    def path_of(given: dict[str, Any]) -> str:
        return str(given["path"])

    @tool(exclusive=True, read_only=True, write_target=path_of, read_target=path_of)
    def odd(path: str) -> str:
        """Have all."""
        return path

    assert (odd.exclusive, odd.read_only) == (True, True)
    assert odd.write_target is odd.read_target is path_of
    assert (tool(path_of).exclusive, tool(path_of).write_target) == (False, None)


def test_a_function_that_is_no_tool_is_refused() -> None:
    """With what is wrong, when the tool is made."""

    def untyped(path) -> str:  # pyright: ignore[reportUnknownParameterType, reportMissingParameterType] - what is refused
        return path  # pyright: ignore[reportUnknownVariableType] - the same

    def many(*paths: str) -> str:
        return paths[0]

    def unknown(path: Nowhere) -> str:  # pyright: ignore[reportUndefinedVariable, reportUnknownParameterType] # noqa: F821 - what is refused
        return path  # pyright: ignore[reportUnknownVariableType] - the same

    def strange(path: type[Edit]) -> str:
        return str(path)

    refused: list[tuple[Any, str]] = [
        (untyped, "untyped: parameter path has no annotation"),
        (many, "many: parameter paths cannot be given by name"),
        (unknown, "unknown: an annotation cannot be read: name 'Nowhere' is not defined"),
        (strange, "(?s)strange: .*not supported"),
    ]
    for function, text in refused:
        with pytest.raises(ConfigError, match=text):
            tool(function)


class Plain:
    """A tool that is no function's."""

    description = "Do it."

    def __init__(self, name: str = "plain", schema: dict[str, Any] | None = None) -> None:
        self.name = name
        self.input_schema: dict[str, Any] = schema or {"type": "object", "properties": {}}

    def run(self, given: dict[str, Any], context: ToolContext) -> str:
        return f"{given} {context.vision}"


def test_a_registry_knows_tools_by_name() -> None:
    """The last of a name wins, definitions are sorted, and what is dropped is gone."""
    first, last = Plain("b"), Plain("b")
    registry = ToolRegistry([Plain("c"), first, Plain("a"), last])
    assert registry.get("b") is last
    assert [each.name for each in registry.definitions()] == ["a", "b", "c"]
    registry.retain(lambda each: each.name != "b")
    assert (registry.get("b"), len(registry), {each.name for each in registry}) == (None, 2, {"a", "c"})


@pytest.mark.parametrize("name", ["", "a b", "a.b", "é", "x" * 65])
def test_a_name_that_providers_refuse_is_refused(name: str) -> None:
    """When the tool is registered, not at the first turn."""
    with pytest.raises(ConfigError, match="tools: the name"):
        ToolRegistry([Plain(name)])


def test_a_schema_that_cannot_be_checked_is_refused() -> None:
    """By the tool's name."""
    with pytest.raises(ConfigError, match=r"tools\.plain: schema keyword not at # is not supported"):
        ToolRegistry([Plain(schema={"type": "object", "not": {}})])


def test_a_registry_of_a_registry_shares_what_was_compiled_and_nothing_else() -> None:
    """Schemas are compiled once for many agents; what one registers or drops is its own affair."""
    first = ToolRegistry([_Counting()])
    _Counting.asked = 0
    second = ToolRegistry(first)
    assert _Counting.asked == 0
    assert second.check("counting", {"n": "3"}).input == {"n": 3}
    second.retain(lambda _: False)
    assert (len(first), len(second)) == (1, 0)


class _Counting:
    """A tool that counts how often its schema was asked for."""

    name = "counting"
    description = "counts"
    asked = 0

    @property
    def input_schema(self) -> dict[str, Any]:
        _Counting.asked += 1
        return {"type": "object", "properties": {"n": {"type": "integer"}}}

    def run(self, given: dict[str, Any], context: ToolContext) -> str:
        return f"{given}{context}"
