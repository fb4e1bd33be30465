"""A whole run, driven by a function and recorded: the smallest driver there is, without an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from beyond_agent_core.effects import Effect, Emit
from beyond_agent_core.events import AgentEvent
from beyond_agent_core.loop import loop
from beyond_agent_core.run import End

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_agent_core.control import Queued
    from beyond_agent_core.effects import Answer
    from beyond_agent_core.run import Run


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What a run asked for and told, in order, and how it ended."""

    effects: tuple[Effect, ...]
    events: tuple[AgentEvent, ...]
    end: End


def record_run(run: Run, prompt: Queued | None, answer: Callable[[Effect], Answer]) -> Recorded:
    """Drive a run to its end and return the record.

    `answer` is called for every effect, `Emit` included, for which it returns None. What it raises is thrown into the
    loop, as a driver throws its faults.
    """
    steps = loop(run, prompt)
    effects: list[Effect] = []
    events: list[AgentEvent] = []
    given: Answer = None
    fault: Exception | None = None
    while True:
        try:
            effect = steps.send(given) if fault is None else steps.throw(fault)
        except StopIteration as stop:
            return Recorded(effects=tuple(effects), events=tuple(events), end=stop.value)
        effects.append(effect)
        if isinstance(effect, Emit):
            events.append(effect.event)
        given = fault = None
        try:
            given = answer(effect)
        except Exception as error:  # noqa: BLE001 - a fault of the driver is the loop's to end in order
            fault = error
