"""What every transport has to do, as one list of rules: a new transport gets its tests in one line.

A rule is a function from the transport's factory to the sentences that say where it is broken, none where it holds. So
one run tells all that is wrong with a transport, not only the first. The other end is a `ModelServer` on loopback.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from beyond_agent_core.testing import transport_rules_answers, transport_rules_asking, transport_rules_faults
from beyond_agent_core.testing.transport_trial import TransportFactory

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RULES", "Rule", "TransportFactory", "broken_rules", "check_transport"]

Rule: TypeAlias = Callable[[TransportFactory], AsyncIterator[str]]
"""What is broken where, in sentences."""

RULES: Final[Sequence[Rule]] = (
    *transport_rules_asking.RULES,
    *transport_rules_answers.RULES,
    *transport_rules_faults.RULES,
)
"""Every rule; the name of each says what it is about, its docstring what it asks for."""

MOST: Final = 5
"""How many places at which a rule is broken are told."""


async def check_transport(factory: TransportFactory, rules: Sequence[Rule] = RULES) -> None:
    """Return where the transport keeps all `rules`; raise `AssertionError` that lists every one it breaks."""
    if broken := await broken_rules(factory, rules):
        raise AssertionError("the transport breaks:\n" + "\n".join(broken))


async def broken_rules(factory: TransportFactory, rules: Sequence[Rule] = RULES) -> list[str]:
    """Return the broken rules, a line each with the first places; empty where all hold."""
    broken: list[str] = []
    for rule in rules:
        places: list[str] = []
        try:
            async for place in rule(factory):
                places.append(place)  # noqa: PERF401 - what came before an exception is kept
        except Exception as error:  # noqa: BLE001 - whatever a transport raises here breaks the rule
            places.append(f"raises {error!r}")
        if places:
            more = f" (+{len(places) - MOST} more)" if len(places) > MOST else ""
            broken.append(f"- {rule.__name__}: " + "; ".join(places[:MOST]) + more)
    return broken
