"""The grammar of a run's events, as a table: where a run stands, what may come there, and where that leads."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from beyond_agent_core import events as ev

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BETWEEN: Final[Mapping[type, str]] = {
    ev.Steered: "between turns",
    ev.ModelSwitched: "between turns",
    ev.ToolsUpdated: "between turns",
    ev.CompactionStart: "compacting",
    ev.TurnStart: "in a turn",
    ev.Failed: "failed",
    ev.AgentEnd: "over",
}
_NEXT: Final[Mapping[str, Mapping[type, str]]] = {
    "not begun": {ev.AgentStart: "between turns"},
    "between turns": _BETWEEN,
    "compacting": {ev.Compacted: "between turns", ev.CompactionFailed: "between turns"},
    "in a turn": {
        ev.Streamed: "in a turn",
        ev.TurnRetry: "in a turn",
        ev.CompactionStart: "compacting in a turn",
        ev.TurnEnd: "behind a turn",
    },
    "compacting in a turn": {ev.Compacted: "in a turn", ev.CompactionFailed: "in a turn"},
    "behind a turn": {**_BETWEEN, ev.ToolStart: "calls announced"},
    "calls announced": {ev.ToolStart: "calls announced", ev.ToolProgress: "calls run", ev.ToolEnd: "calls run"},
    "calls run": {**_BETWEEN, ev.ToolProgress: "calls run", ev.ToolEnd: "calls run"},
    "failed": {ev.AgentEnd: "over"},
    "over": {},
}


def assert_grammar(events: Sequence[ev.AgentEvent]) -> None:
    """Raise AssertionError where a whole run's events are not in the order that the contract promises."""
    state, step = "not begun", 0
    waiting: Counter[str] = Counter()
    for at, event in enumerate(events):
        allowed = _NEXT[state]
        assert type(event) in allowed, f"event {at}, {type(event).__name__}, comes {state}"
        state = allowed[type(event)]
        match event:
            case ev.TurnStart():
                step = event.step
            case ev.TurnRetry() | ev.TurnEnd():
                assert event.step == step, f"event {at} is of step {event.step}, in step {step}"
            case ev.ToolStart():
                waiting[event.id] += 1
            case ev.ToolProgress() | ev.ToolEnd():
                assert waiting[event.id] > 0, f"event {at}: call {event.id} is not running"
                waiting[event.id] -= isinstance(event, ev.ToolEnd)
            case ev.AgentEnd():
                told = at > 0 and isinstance(events[at - 1], ev.Failed)
                assert told == (event.outcome in ("error", "limit")), f"outcome {event.outcome}, error told: {told}"
            case _:
                pass
        if state not in ("calls announced", "calls run"):
            assert not waiting.total(), f"event {at} comes while calls wait for their end: {+waiting}"
    assert state == "over", f"the events end {state}"
