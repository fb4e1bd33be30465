"""Rules of what a tool says of itself: its name, its schema, its paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from beyond_agent_core.errors import ConfigError, InvalidInput
from beyond_agent_core.schema import Checker
from beyond_agent_core.tools import valid_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from beyond_agent_core.testing.tool_trial import Trial


async def name_is_one_that_providers_take(trial: Trial) -> AsyncIterator[str]:
    """1 to 64 of A-Z, a-z, 0-9, _ and -."""
    if not valid_name(trial.tool.name):
        yield f"{trial.tool.name!r} is none"


async def description_says_something(trial: Trial) -> AsyncIterator[str]:
    """The model has nothing else to go by."""
    if not trial.tool.description.strip():
        yield "it is empty"


async def schema_can_be_checked(trial: Trial) -> AsyncIterator[str]:
    """An object's, of known keywords, the same each time because prompt caches match on bytes."""
    try:
        Checker(trial.tool.input_schema)
    except ConfigError as error:
        yield str(error)
    if msgspec.json.encode(trial.tool.input_schema) != msgspec.json.encode(trial.tool.input_schema):
        yield "it is another one each time"


async def good_input_is_let_through(trial: Trial) -> AsyncIterator[str]:
    """By the schema, with nothing that it calls unknown."""
    try:
        checker = Checker(trial.tool.input_schema)
    except ConfigError:
        return
    for given in trial.good:
        try:
            unknown = checker.check(given).unknown
        except InvalidInput as fault:
            yield f"{given}: {fault}"
        else:
            if unknown:
                yield f"{given}: unknown {', '.join(unknown)}"


async def targets_are_paths(trial: Trial) -> AsyncIterator[str]:
    """`write_target` and `read_target` give text or None, the same each time, and do not fail on good input."""
    for which in ("write_target", "read_target"):
        target: Callable[[dict[str, Any]], object] | None = getattr(trial.tool, which, None)
        for given in trial.good if target is not None else ():
            try:
                first, second = (target(given) for _ in range(2)) if target is not None else (None, None)
            except Exception as error:  # noqa: BLE001 - whatever it raises is told
                yield f"{which} of {given} raises {error!r}"
                continue
            if first is not None and not isinstance(first, str):
                yield f"{which} of {given} is {type(first).__name__}"
            elif first != second:
                yield f"{which} of {given} is another one each time"


async def marks_agree(trial: Trial) -> AsyncIterator[str]:
    """`exclusive` and `read_only` are booleans, and what only reads names no path that it writes."""
    for mark in ("exclusive", "read_only"):
        value = getattr(trial.tool, mark, False)
        if not isinstance(value, bool):
            yield f"{mark} is {type(value).__name__}"
    target: Callable[[dict[str, Any]], object] | None = getattr(trial.tool, "write_target", None)
    if getattr(trial.tool, "read_only", False) is True and target is not None:
        yield "it is read_only and has a write_target"


RULES: Sequence[Callable[[Trial], AsyncIterator[str]]] = (
    name_is_one_that_providers_take,
    description_says_something,
    schema_can_be_checked,
    good_input_is_let_through,
    targets_are_paths,
    marks_agree,
)
