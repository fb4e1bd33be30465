"""The test kit of the loop: a playbook that is wrong says so, and so do its oracles."""

from __future__ import annotations

import pytest

from beyond_agent_core import effects as ask
from beyond_agent_core import events as ev
from beyond_agent_core.errors import PlaybookMismatch
from beyond_agent_core.session import Session
from beyond_agent_core.testing import Playbook, assert_fit, assert_grammar, calls, says
from beyond_wire.types import Message, ToolResultBlock

START, STEP, END = ev.AgentStart(), ev.TurnStart(step=1), ev.TurnEnd(stop_reason="end_turn", step=1)
CALL = ev.ToolStart(id="a", name="read", input={})
RESULT = ev.ToolEnd(id="a", name="read", result="", is_error=False)
COMPACT = ev.CompactionStart(reason="threshold")
FAILED = ev.CompactionFailed(reason="threshold", message="", error_code="summary_empty")
OVER = ev.AgentEnd(steps=1, outcome="done", undelivered=ev.Undelivered())
RUN: list[ev.AgentEvent] = [START, COMPACT, FAILED, STEP, COMPACT, FAILED, END, CALL, CALL, RESULT, RESULT, OVER]


def test_another_effect_than_expected_is_told_with_the_transcript() -> None:
    """What was expected, what the loop asks for, which events came before."""
    with pytest.raises(PlaybookMismatch, match=r"expected RunTools; .*CallModel.*agent_start, turn_start"):
        Playbook("hi").expect(ask.RunTools)
    with pytest.raises(PlaybookMismatch, match="expected step=2"):
        Playbook("hi").expect(ask.CallModel, step=2)
    with pytest.raises(PlaybookMismatch, match="Elapsed is no answer"):
        Playbook("hi").expect(ask.CallModel).reply(ask.Elapsed())


def test_a_playbook_that_is_not_played_to_its_end_fails() -> None:
    """As does one whose end is another."""
    with pytest.raises(PlaybookMismatch, match="the run has not ended"), Playbook("hi") as play:
        play.expect(ask.CallModel)
    with pytest.raises(PlaybookMismatch, match="expected the end error"):
        Playbook("hi").expect(ask.CallModel).reply(says("x")).ends("error")


def test_a_run_in_order_passes() -> None:
    """With compactions between and within turns, and a repeated id."""
    assert_grammar(RUN)


@pytest.mark.parametrize("left_out", range(len(RUN)))
def test_an_event_that_is_missing_is_found(left_out: int) -> None:
    """Each of them."""
    with pytest.raises(AssertionError):
        assert_grammar(RUN[:left_out] + RUN[left_out + 1 :])


@pytest.mark.parametrize(
    "wrong",
    [
        [START, STEP, ev.TurnEnd(stop_reason="x", step=2), OVER],
        [START, STEP, COMPACT, FAILED, STEP, END, OVER],
        [START, ev.Failed(message="", error_code="internal"), OVER],
        [START, ev.AgentEnd(steps=0, outcome="error", undelivered=ev.Undelivered())],
        [START, STEP, END, CALL, ev.ToolEnd(id="b", name="read", result="", is_error=False), OVER],
        [START, STEP, END, CALL, RESULT, ev.ToolProgress(id="a", name="read", snapshot=""), OVER],
    ],
)
def test_events_that_do_not_belong_together_are_found(wrong: list[ev.AgentEvent]) -> None:
    """Steps, compactions, ends and calls are matched, not counted."""
    with pytest.raises(AssertionError):
        assert_grammar(wrong)


def test_a_session_that_cannot_be_sent_is_found() -> None:
    """A call without its result, results in another order, a result without a call."""
    turn = calls(("read", {}), ("read", {})).message
    results = [ToolResultBlock(tool_use_id=f"call_{at}", content="") for at in range(2)]
    for content in ((), results[:1], results[::-1]):
        session = Session()
        session.push(turn)
        if content:
            session.push(Message(role="user", content=tuple(content)))
        with pytest.raises(AssertionError):
            assert_fit(session)
    session = Session()
    session.push(Message(role="user", content=tuple(results[:1])))
    with pytest.raises(AssertionError):
        assert_fit(session)
