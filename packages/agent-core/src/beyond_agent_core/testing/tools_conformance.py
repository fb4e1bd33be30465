"""What every tool has to do, as one list of rules: the tests of a new tool begin with one line.

A rule is a function from `Trial` to the sentences that say where it is broken, none where it holds. So one run tells
all that is wrong with a tool, not only the first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from beyond_agent_core.testing import tool_rules_calls, tool_rules_words
from beyond_agent_core.testing.tool_trial import BLOCKED_S, ENDS_S, Trial

if TYPE_CHECKING:
    from beyond_agent_core.tools import Tool

__all__ = ["RULES", "Rule", "Trial", "broken_rules", "check_tool"]

Rule: TypeAlias = Callable[[Trial], AsyncIterator[str]]
"""What is broken where, in sentences."""

RULES: Final[Sequence[Rule]] = (*tool_rules_words.RULES, *tool_rules_calls.RULES)
"""Every rule; the name of each says what it is about, its docstring what it asks for."""

MOST: Final = 5
"""How many places at which a rule is broken are told."""


async def check_tool(
    tool: Tool, good: Sequence[dict[str, Any]], bad: Sequence[dict[str, Any]], rules: Sequence[Rule] = RULES
) -> None:
    """Return where the tool keeps all `rules`; raise `AssertionError` that lists every one it breaks.

    It is called several times with each input of `good`, which it must be able to work with, and of `bad`, which it
    must refuse. Raises ValueError where one of the two is empty.
    """
    if broken := await broken_rules(tool, good, bad, rules):
        raise AssertionError(f"tool {tool.name} breaks:\n" + "\n".join(broken))


async def broken_rules(
    tool: Tool,
    good: Sequence[dict[str, Any]],
    bad: Sequence[dict[str, Any]],
    rules: Sequence[Rule] = RULES,
    *,
    ends_s: float = ENDS_S,
    blocked_s: float = BLOCKED_S,
) -> list[str]:
    """Return the broken rules, a line each with the first places; empty where all hold."""
    if not good or not bad:
        raise ValueError("a tool is tried with input that it must take, and with input that it must refuse")
    broken: list[str] = []
    for rule in rules:
        places: list[str] = []
        try:
            async for place in rule(Trial(tool, good, bad, ends_s, blocked_s)):
                places.append(place)  # noqa: PERF401 - what came before an exception is kept
        except Exception as error:  # noqa: BLE001 - whatever a tool raises here breaks the rule
            places.append(f"raises {error!r}")
        if places:
            more = f" (+{len(places) - MOST} more)" if len(places) > MOST else ""
            broken.append(f"- {rule.__name__}: " + "; ".join(places[:MOST]) + more)
    return broken
