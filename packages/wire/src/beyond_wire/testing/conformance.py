"""What every dialect has to do, as one list of rules: a new dialect gets its tests in one line.

A rule is a function from `Tables` to the sentences that say where it is broken, none where it holds. So one run tells
all that is wrong with a dialect, not only the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from beyond_wire.testing import fault_rules, request_rules, stream_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from beyond_wire.testing.recorded import Tables

Rule: TypeAlias = "Callable[[Tables], Iterator[str]]"
"""What is broken where, in sentences."""

RULES: Sequence[Rule] = (*stream_rules.RULES, *fault_rules.RULES, *request_rules.RULES)
"""Every rule; the name of each says what it is about, its docstring what it asks for."""

MOST = 5
"""How many places at which a rule is broken are told."""


def check_dialect(tables: Tables, rules: Sequence[Rule] = RULES) -> None:
    """Return where the dialect of `tables` keeps all `rules`; raise `AssertionError` that lists every one it breaks."""
    if broken := broken_rules(tables, rules):
        raise AssertionError(f"dialect {tables.dialect.name} breaks:\n" + "\n".join(broken))


def broken_rules(tables: Tables, rules: Sequence[Rule] = RULES) -> list[str]:
    """Return the broken rules, a line each with the first places; empty where all hold."""
    broken: list[str] = []
    for rule in rules:
        places: list[str] = []
        try:
            for place in rule(tables):
                places.append(place)  # noqa: PERF402 - what came before an exception is kept
        except Exception as error:  # noqa: BLE001 - whatever a dialect raises here breaks the rule
            places.append(f"raises {error!r}")
        if places:
            more = f" (+{len(places) - MOST} more)" if len(places) > MOST else ""
            broken.append(f"- {rule.__name__}: " + "; ".join(places[:MOST]) + more)
    return broken
