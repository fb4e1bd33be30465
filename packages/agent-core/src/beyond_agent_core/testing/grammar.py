"""The grammar of a run's events, as a table of what may follow what."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from beyond_agent_core import events as ev

if TYPE_CHECKING:
    from collections.abc import Sequence

_BETWEEN = (ev.TurnStart, ev.Steered, ev.ModelSwitched, ev.ToolsUpdated, ev.Failed, ev.AgentEnd)
_AFTER: dict[type, tuple[type, ...]] = {
    ev.AgentStart: _BETWEEN,
    ev.Steered: _BETWEEN,
    ev.ModelSwitched: _BETWEEN,
    ev.ToolsUpdated: _BETWEEN,
    ev.TurnStart: (ev.Streamed, ev.TurnRetry, ev.TurnEnd),
    ev.Streamed: (ev.Streamed, ev.TurnRetry, ev.TurnEnd),
    ev.TurnRetry: (ev.Streamed, ev.TurnRetry, ev.TurnEnd),
    ev.TurnEnd: (ev.ToolStart, *_BETWEEN),
    ev.ToolStart: (ev.ToolStart, ev.ToolProgress, ev.ToolEnd),
    ev.ToolProgress: (ev.ToolProgress, ev.ToolEnd),
    ev.ToolEnd: (ev.ToolProgress, ev.ToolEnd, *_BETWEEN),
    ev.Failed: (ev.AgentEnd,),
    ev.AgentEnd: (),
}


def assert_grammar(events: Sequence[ev.AgentEvent]) -> None:
    """Raise AssertionError where a whole run's events are not in the order that the contract promises."""
    assert events, "a run without events"
    assert isinstance(events[0], ev.AgentStart), f"a run begins with {events[0]}"
    assert isinstance(events[-1], ev.AgentEnd), f"a run ends with {events[-1]}"
    for before, after in pairwise(events):
        allowed = _AFTER[type(before)]
        assert isinstance(after, allowed), f"{type(after).__name__} follows {type(before).__name__}"
    started = sum(isinstance(event, ev.ToolStart) for event in events)
    ended = sum(isinstance(event, ev.ToolEnd) for event in events)
    assert started == ended, f"{started} tool_start and {ended} tool_end"
