"""Events as JSON lines, and the grammar that every run keeps."""

from __future__ import annotations

import msgspec
import pytest

from beyond_agent_core.events import (
    AgentEnd,
    AgentEvent,
    AgentStart,
    Streamed,
    ToolStart,
    TurnEnd,
    TurnStart,
    Undelivered,
    encode_event,
)
from beyond_agent_core.testing import assert_grammar
from beyond_wire.types import TextDelta

END = AgentEnd(steps=0, outcome="done", undelivered=Undelivered())


def test_a_stream_event_stands_flat_beside_its_kind() -> None:
    """As clients of the reference read it."""
    line = encode_event(Streamed(event=TextDelta(index=0, text="hi")))
    assert line == b'{"kind":"stream","type":"text_delta","index":0,"text":"hi"}\n'


def test_an_end_tells_what_is_still_queued() -> None:
    """Unset fields are left out, the queues are not."""
    assert msgspec.json.decode(encode_event(END)) == {
        "kind": "agent_end",
        "steps": 0,
        "outcome": "done",
        "undelivered": {"steers": 0, "follow_ups": 0},
    }


@pytest.mark.parametrize(
    "events",
    [
        [],
        [AgentStart()],
        [END],
        [AgentStart(), TurnStart(step=1), END],
        [AgentStart(), TurnEnd(stop_reason="end_turn", step=1), END],
        [AgentStart(), TurnStart(step=1), TurnEnd(stop_reason="x", step=1), ToolStart(id="a", name="b", input={}), END],
        [AgentStart(), END, END],
    ],
)
def test_what_breaks_the_grammar_is_found(events: list[AgentEvent]) -> None:
    """Each of these is no run."""
    with pytest.raises(AssertionError):
        assert_grammar(events)
