"""The conformance rules of tools: good tools break none, and each broken double breaks its rule only."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from beyond_agent_core.errors import ExecutionFailed, InvalidInput
from beyond_agent_core.testing.tools_conformance import RULES, broken_rules, check_tool
from beyond_agent_core.tools import ToolContext, ToolOutput, tool

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = [{"path": "a", "more": {"x": [1]}}, {"path": "b"}]
BAD = [{}, {"path": 1}, {"path": "/outside"}]


class Sound:
    """A tool in order; each double below changes one thing."""

    name = "sound"
    description = "Do it."
    input_schema: dict[str, Any] = {  # noqa: RUF012 - a double changes it on its own class
        "type": "object",
        "properties": {"path": {"type": "string"}, "more": {"type": "object"}},
        "required": ["path"],
    }

    async def run(self, given: dict[str, Any], context: ToolContext) -> ToolOutput | str:
        if given["path"].startswith("/"):
            raise InvalidInput("path is outside")
        context.progress("half")
        await asyncio.sleep(0)
        return ToolOutput(text=given["path"], details={"n": 1})


class Nameless(Sound):
    name = "not a name"


class Wordless(Sound):
    description = " "


class Strange(Sound):
    input_schema = {**Sound.input_schema, "not": {}}  # noqa: RUF012 - a double's own

    async def run(self, given: dict[str, Any], context: ToolContext) -> ToolOutput | str:
        return await super().run(given, context)


class Fickle(Sound):
    count = 0

    @property
    def input_schema(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleVariableOverride] - the fault
        Fickle.count += 1
        return {**Sound.input_schema, "title": str(Fickle.count)}


class Narrow(Sound):
    input_schema = {**Sound.input_schema, "properties": {"path": {"type": "string"}}}  # noqa: RUF012 - a double's own


class Lost(Sound):
    def write_target(self, given: dict[str, Any]) -> str:
        return given["file"]


class Vague(Sound):
    read_only = True

    def write_target(self, given: dict[str, Any]) -> str:
        return str(given["path"])


class Failing(Sound):
    async def run(self, given: dict[str, Any], context: ToolContext) -> ToolOutput | str:
        await super().run(given, context)
        raise ExecutionFailed("never works")


class Lenient(Sound):
    async def run(self, given: dict[str, Any], context: ToolContext) -> ToolOutput | str:
        return await super().run({**given, "path": given["path"].lstrip("/")}, context)


class Buggy(Sound):
    async def run(self, given: dict[str, Any], context: ToolContext) -> ToolOutput | str:
        if given["path"].startswith("/"):
            raise KeyError("bug")
        return await super().run(given, context)


class Numeric(Sound):
    async def run(self, given: dict[str, Any], context: ToolContext) -> Any:
        await super().run(given, context)
        return 3


class Unjson(Sound):
    async def run(self, given: dict[str, Any], context: ToolContext) -> ToolOutput | str:
        await super().run(given, context)
        return ToolOutput(text="", details={"x": object()})


class Rude(Sound):
    async def run(self, given: dict[str, Any], context: ToolContext) -> ToolOutput | str:
        output = await super().run(given, context)
        given.get("more", {}).clear()
        return output


class Deaf(Sound):
    async def run(self, given: dict[str, Any], context: ToolContext) -> ToolOutput | str:
        output = await super().run(given, context)
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            await asyncio.sleep(1)
        return output


class Talkative(Sound):
    async def run(self, given: dict[str, Any], context: ToolContext) -> ToolOutput | str:
        asyncio.get_running_loop().call_later(0.01, context.progress, "late")
        return await super().run(given, context)


class Binary(Sound):
    async def run(self, given: dict[str, Any], context: ToolContext) -> ToolOutput | str:
        context.progress(b"bytes")  # pyright: ignore[reportArgumentType] - the fault
        return await super().run(given, context)


class Blocking(Sound):
    async def run(self, given: dict[str, Any], context: ToolContext) -> ToolOutput | str:
        if given["path"] == "b":
            time.sleep(0.12)  # noqa: ASYNC251 - the fault
        return await super().run(given, context)


TIMES: dict[str, dict[str, Any]] = {"cancel_ends_a_call": {"ends_s": 0.2}, "event_loop_goes_on": {"blocked_s": 0.1}}
DOUBLES = [
    (Nameless, "name_is_one_that_providers_take"),
    (Wordless, "description_says_something"),
    (Strange, "schema_can_be_checked"),
    (Fickle, "schema_can_be_checked"),
    (Narrow, "good_input_is_let_through"),
    (Lost, "targets_are_paths"),
    (Vague, "marks_agree"),
    (Failing, "good_input_works"),
    (Lenient, "bad_input_is_refused"),
    (Buggy, "faults_are_of_kinds_that_are_told"),
    (Numeric, "results_are_outputs"),
    (Unjson, "results_are_outputs"),
    (Rude, "input_is_left_alone"),
    (Deaf, "cancel_ends_a_call"),
    (Talkative, "snapshots_are_text_and_end_with_the_call"),
    (Binary, "snapshots_are_text_and_end_with_the_call"),
    (Blocking, "event_loop_goes_on"),
]


@pytest.mark.parametrize(("double", "rule"), DOUBLES, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_double_breaks_its_rule_only(double: Callable[[], Sound], rule: str) -> None:
    """By its name, and no other."""
    broken = asyncio.run(broken_rules(double(), GOOD, BAD, **TIMES.get(rule, {})))
    assert [line.partition(":")[0] for line in broken] == [f"- {rule}"]


def test_every_rule_has_a_double() -> None:
    """So that none is kept by everything."""
    assert {rule.__name__ for rule in RULES} == {rule for _, rule in DOUBLES}


def test_tools_in_order_break_nothing() -> None:
    """A class, and functions with and without a thread."""

    def path_of(given: dict[str, Any]) -> str:
        return str(given["path"])

    @tool(read_only=True, read_target=path_of)
    def threaded(path: str, context: ToolContext, more: dict[str, Any] | None = None) -> str:
        """Work in a thread."""
        if path.startswith("/"):
            raise InvalidInput("path is outside")
        end = time.monotonic() + 0.05
        while time.monotonic() < end and not context.cancelled:
            time.sleep(0.001)
        return f"{path} {more}"

    @tool(exclusive=True, write_target=path_of)
    async def looped(path: str, more: dict[str, Any] | None = None) -> ToolOutput:
        """Work in the loop."""
        if path.startswith("/"):
            return ToolOutput(text="path is outside", is_error=True)
        return ToolOutput(text=f"{path} {more}")

    for each in (Sound(), threaded, looped):
        asyncio.run(check_tool(each, GOOD, BAD))


def test_all_that_is_broken_is_told() -> None:
    """In one error, with the tool's name; without input there is nothing to try."""

    class Both(Nameless, Wordless):
        pass

    with pytest.raises(
        AssertionError, match=r"tool not a name breaks:\n- name_is.*: 'not a name' is none\n- description"
    ):
        asyncio.run(check_tool(Both(), GOOD, BAD))
    with pytest.raises(ValueError, match="a tool is tried with input"):
        asyncio.run(check_tool(Sound(), [], BAD))
