"""The loop, step by step, as playbooks: what is asked and answered, what watchers see, what stays in the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from beyond_agent_core import effects as ask
from beyond_agent_core.control import Control, Queued
from beyond_agent_core.errors import RunFault
from beyond_agent_core.events import AgentEnd, Failed, TurnRetry
from beyond_agent_core.limits import Limits, Prices
from beyond_agent_core.loop import loop
from beyond_agent_core.run import Run, Settings
from beyond_agent_core.session import Session
from beyond_agent_core.testing import Playbook, calls, refuses, says
from beyond_wire.types import TextBlock, ToolDef, ToolResultBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beyond_agent_core.run import End
    from beyond_agent_core.run_steps import Steps
    from beyond_wire.types import Turn

READ = ("read", {"path": "a"})
WRITE = ("write", {"path": "b"})
OVERLOADED = RunFault(code="http_status", message="503", transient=True, status=503)
CUT_STREAM = RunFault(code="stream_truncated", message="cut", transient=True, started=True)


def ok(*texts: str, **more: Any) -> ask.ToolsDone:
    return ask.ToolsDone(results=tuple(ask.ToolResult(text=text) for text in texts), **more)


def roles(play: Playbook) -> list[str]:
    return [message.role for message in play.session.messages]


def test_a_text_turn_is_a_whole_run() -> None:
    """Prompt, answer, done; every event in its place."""
    with Playbook("hi") as play:
        play.expect(ask.CallModel, step=1).reply(says("hello")).ends("done")
    assert play.kinds() == ["agent_start", "turn_start", "turn_end", "agent_end"]
    assert roles(play) == ["user", "assistant"]
    answer = play.session.messages[1]
    assert (answer.model_id, answer.stop_reason) == ("claude-opus-4-8", "end_turn")
    assert play.session.usage.input_tokens == 10
    assert play.run.result(play.end or pytest.fail("no end")).text == "hello"


def test_results_go_back_in_call_order_as_one_message() -> None:
    """Two calls, one message of two results, and the model is asked again over all of it."""
    with Playbook() as play:
        play.expect(ask.CallModel).reply(calls(READ, WRITE))
        play.expect(ask.RunTools).reply(ok("x = 1", "written"))
        play.expect(ask.CallModel, step=2).reply(says("done")).ends("done")
        results = play.session.messages[2].content
    assert [block.content for block in results if isinstance(block, ToolResultBlock)] == ["x = 1", "written"]
    assert roles(play) == ["user", "assistant", "user", "assistant"]


def test_calls_run_whatever_the_stop_reason_says() -> None:
    """Calls under end_turn run; tool_use without a call ends the run."""
    with Playbook() as play:
        play.expect(ask.CallModel).reply(calls(READ, stop="end_turn")).expect(ask.RunTools).reply(ok("x"))
        play.expect(ask.CallModel).reply(says("", "tool_use")).ends("done")


def test_a_refusal_ends_the_run_before_its_calls() -> None:
    """None of its calls runs, each has a result, queued messages stay where they are."""
    control = Control()
    with Playbook(control=control) as play:
        control.follow_up("later")
        play.expect(ask.CallModel).reply(calls(READ, stop="refusal")).ends("refused")
    assert play.kinds()[-3:] == ["tool_start", "tool_end", "agent_end"]
    end = play.events[-1]
    assert isinstance(end, AgentEnd)
    assert end.undelivered.follow_ups == 1
    with Playbook() as play:
        play.expect(ask.CallModel).reply(refuses()).ends("refused")


def test_calls_of_a_cut_answer_do_not_run_and_three_in_a_row_end_it() -> None:
    """A complete-looking write of an answer that was cut is not executed; the model is asked to call again."""
    with Playbook() as play:
        for step in (1, 2, 3):
            play.expect(ask.CallModel, step=step).reply(calls(WRITE, stop="max_tokens"))
        play.ends("error")
        assert play.end
        assert play.end.fault
        assert play.end.fault.code == "output_truncated"
    assert play.kinds().count("tool_end") == 3
    with Playbook() as play:
        for _ in range(2):
            play.expect(ask.CallModel).reply(calls(WRITE, stop="max_tokens"))
        play.expect(ask.CallModel).reply(calls(READ)).expect(ask.RunTools).reply(ok("x"))
        for _ in range(2):
            play.expect(ask.CallModel).reply(calls(WRITE, stop="max_tokens"))
        play.expect(ask.CallModel).reply(says("done")).ends("done")


def test_a_round_ends_the_run_only_where_every_call_asks_for_it() -> None:
    """One of two is not enough."""
    stop, go = ask.ToolResult(text="bye", terminate=True), ask.ToolResult(text="x")
    with Playbook() as play:
        play.expect(ask.CallModel).reply(calls(READ, WRITE))
        play.expect(ask.RunTools).reply(ask.ToolsDone(results=(stop, go)))
        play.expect(ask.CallModel).reply(calls(READ, WRITE))
        play.expect(ask.RunTools).reply(ask.ToolsDone(results=(stop, stop))).ends("done")


def test_a_hook_stops_the_run_before_the_next_call() -> None:
    """After a round, and gracefully."""
    with Playbook() as play:
        play.expect(ask.CallModel).reply(calls(READ)).expect(ask.RunTools).reply(ok("x"))
        play.expect(ask.AfterTurn).reply(ask.Stop()).ends("done")


def test_a_session_that_is_not_saved_runs_no_tool() -> None:
    """A checkpoint that fails before the tools: each call has a result, none ran, the run ends as an error."""
    with Playbook() as play:
        play.expect(ask.CallModel).reply(calls(READ))
        play.expect(ask.Checkpoint, at="assistant").reply(ask.CheckpointFailed("disk full")).ends("error")
        assert play.end
        assert play.end.fault == RunFault(code="checkpoint_failed", message="disk full")


def test_without_a_prompt_the_session_goes_on_or_there_is_nothing_to_do() -> None:
    """A session that waits for an answer gets one; one that has it is an error unless something is queued."""
    session = Session()
    session.user("hi")
    with Playbook(None, session=session) as play:
        play.expect(ask.CallModel).reply(says("hello")).ends("done")
    with Playbook(None, session=session) as play:
        play.ends("error")
        assert play.kinds() == ["agent_start", "error", "agent_end"]
    control = Control()
    control.follow_up("and now?")
    with Playbook(None, session=session, control=control) as play:
        play.expect(ask.CallModel).reply(says("this")).ends("done")
    assert play.kinds()[:2] == ["agent_start", "steered"]


# -- steering


def test_a_steer_joins_the_results_of_the_round_in_flight() -> None:
    """It skips no call; it stands behind the results in their message."""
    control = Control()
    with Playbook(control=control) as play:
        play.expect(ask.CallModel).reply(calls(READ))
        control.steer("use b instead")
        play.expect(ask.RunTools).reply(ok("x"))
        play.expect(ask.CallModel)
        content = play.session.messages[2].content
        assert [type(block) for block in content] == [ToolResultBlock, TextBlock]
        play.reply(says("done")).ends("done")
    assert play.kinds().count("steered") == 1


def test_follow_ups_go_before_stranded_steers_one_at_a_time() -> None:
    """At rest the oldest follow-up is taken, then the oldest steer, each a message of its own."""
    control = Control()
    with Playbook(control=control) as play:
        play.expect(ask.CallModel)
        control.steer("s")
        control.follow_up("f1")
        control.follow_up("f2")
        seen: list[str] = []
        for _ in range(3):
            play.reply(says("ok")).expect(ask.CallModel)
            last = play.session.messages[-1].content[0]
            assert isinstance(last, TextBlock)
            seen.append(last.text)
        play.reply(says("ok")).ends("done")
    assert seen == ["f1", "f2", "s"]


def test_model_and_tools_change_between_turns_only() -> None:
    """What is asked for in a turn holds from the next on."""
    tools = tuple(ToolDef(name=name, description="", input_schema={}) for name in ("write", "read"))
    control = Control()
    settings = Settings(model="claude-opus-4-8", tools=tools)
    with Playbook(settings=settings, control=control) as play:
        play.expect(ask.CallModel)
        control.switch_model("gpt-5", 2048)
        control.set_tools(["read", "nonsense"])
        play.reply(calls(READ)).expect(ask.RunTools).reply(ok("x")).expect(ask.CallModel)
        effect = play.effect
        assert isinstance(effect, ask.CallModel)
        assert (effect.request.model, [tool.name for tool in effect.request.tools]) == ("gpt-5", ["read"])
        play.reply(says("done")).ends("done")
    assert play.kinds()[3:6] == ["model_switched", "tools_updated", "turn_start"]


# -- limits


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (Limits(max_steps=1), "max_steps"),
        (Limits(max_seconds=5), "max_seconds"),
        (Limits(max_tokens_total=15), "max_tokens_total"),
        (Limits(max_cost=0.00001, prices=Prices(input=1, output=1)), "max_cost"),
    ],
)
def test_each_limit_ends_the_run_before_the_next_call(limits: Limits, name: str) -> None:
    """The turn that crossed it is kept; a run with more goes on where it stopped."""
    with Playbook(settings=Settings(model="m", limits=limits)) as play:
        play.expect(ask.CallModel)
        play.clock.now += 6
        play.reply(calls(READ)).expect(ask.RunTools).reply(ok("x")).ends("limit")
        assert play.end
        assert play.end.limit
        assert play.end.limit.name == name
    assert play.kinds()[-2:] == ["error", "agent_end"]
    with Playbook(None, session=play.session) as more:
        more.expect(ask.CallModel, step=2).reply(says("done")).ends("done")


def test_an_interrupt_for_time_names_the_limit() -> None:
    """A model call that is cut short by the clock ends the run as that limit."""
    with Playbook(settings=Settings(model="m", limits=Limits(max_seconds=5))) as play:
        play.expect(ask.CallModel)
        play.clock.now += 5
        play.reply(ask.Interrupted("limit")).ends("limit")
        assert play.end
        assert play.end.limit
        assert (play.end.limit.name, play.end.limit.max) == ("max_seconds", 5)


# -- failures


def test_a_call_that_failed_is_tried_again_and_leaves_no_trace() -> None:
    """Two connect failures, then an answer: the waits double, the session has the answer alone."""
    with Playbook() as play:
        before = play.expect(ask.CallModel).session.encode()
        play.reply(ask.CallFailed(OVERLOADED))
        play.expect(ask.Sleep, seconds=0.25).reply(ask.Elapsed())
        play.expect(ask.CallModel).reply(ask.CallFailed(OVERLOADED))
        play.expect(ask.Sleep, seconds=0.5).reply(ask.Elapsed())
        assert play.session.encode() == before
        play.expect(ask.CallModel, step=1).reply(says("hello")).ends("done")
    retries = [event for event in play.events if isinstance(event, TurnRetry)]
    assert [(event.attempt, event.max_attempts, event.phase) for event in retries] == [
        (1, 3, "connect"),
        (2, 3, "connect"),
    ]


def test_a_dead_gateway_ends_after_sixteen_requests_and_three_rounds() -> None:
    """Four attempts, then three rounds of four; then the fault is final."""
    with Playbook() as play:
        requests = 0
        waits: list[float] = []
        while True:
            play.expect(ask.CallModel).reply(ask.CallFailed(OVERLOADED))
            requests += 1
            effect = play.next_effect()
            if not isinstance(effect, ask.Sleep):
                break
            waits.append(effect.seconds)
            play.reply(ask.Elapsed())
        play.ends("error")
    assert requests == 16
    assert [wait for wait in waits if wait >= 2] == [2.0, 4.0, 8.0]


@pytest.mark.parametrize(
    "fault",
    [
        RunFault(code="quota", message="no money"),
        RunFault(code="http_status", message="slow down", transient=True, retry_after=120),
    ],
)
def test_what_will_not_go_away_is_not_waited_for(fault: RunFault) -> None:
    """A quota, or a wait of two minutes, fails at once; the session stays as it was and a next run goes on from it."""
    with Playbook() as play:
        play.expect(ask.CallModel).reply(ask.CallFailed(fault)).ends("error")
    assert isinstance(play.events[-2], Failed)
    assert roles(play) == ["user"]
    with Playbook(None, session=play.session) as again:
        again.expect(ask.CallModel).reply(says("hello")).ends("done")


def test_a_wait_that_nobody_wants_ends_with_the_real_fault() -> None:
    """GivenUp ends the run as what was to be retried."""
    with Playbook() as play:
        play.expect(ask.CallModel).reply(ask.CallFailed(CUT_STREAM)).expect(ask.Sleep).reply(ask.GivenUp()).ends(
            "error"
        )
        assert play.end
        assert play.end.fault == CUT_STREAM


# -- ends at every effect


def _recorded(play: Playbook, stop_at: int) -> bool:
    """Play a run of every effect, and interrupt it at effect number `stop_at`; False where it has ended before."""
    script: list[tuple[type, ask.Answer]] = [
        (ask.Checkpoint, ask.Saved()),
        (ask.CallModel, ask.CallFailed(OVERLOADED)),
        (ask.Sleep, ask.Elapsed()),
        (ask.CallModel, calls(READ, WRITE)),
        (ask.Checkpoint, ask.Saved()),
        (ask.RunTools, ok("x", "y")),
        (ask.Checkpoint, ask.Saved()),
        (ask.AfterTurn, ask.GoOn()),
        (ask.CallModel, says("done")),
    ]
    for number, (kind, answer) in enumerate(script):
        play.expect(kind)
        if number == stop_at:
            return True
        play.reply(answer)
    return False


CUT: dict[type, ask.Answer] = {
    ask.CallModel: ask.Interrupted("cancelled"),
    ask.Sleep: ask.Interrupted("cancelled"),
    ask.RunTools: ok("x", "cancelled: tool call aborted before it finished", interrupted="cancelled"),
}


@pytest.mark.parametrize("at", range(9))
def test_a_cancel_at_every_effect_leaves_a_session_that_can_be_sent(at: int) -> None:
    """Events balance, one end comes, no call follows, and each queued message is in one place."""
    control = Control()
    for text in "abc":
        control.follow_up(text)
    with Playbook(control=control) as play:
        assert _recorded(play, at)
        control.cancel()
        answer = CUT.get(type(play.effect))
        effect = play.effect
        if answer is None:
            answer = ask.Saved() if isinstance(effect, ask.Checkpoint) else ask.GoOn()
        play.reply(answer).ends("cancelled")
    said = sum("abc".count(block.text) for message in play.session.messages for block in message.content
               if message.role == "user" and isinstance(block, TextBlock) and len(block.text) == 1)  # fmt: skip
    assert said + control.pending().follow_ups == 3


@pytest.mark.parametrize("at", range(9))
def test_a_fault_of_the_driver_at_every_effect_ends_in_order(at: int) -> None:
    """An exception that is thrown in is error `internal`; whatever was called has a result."""
    with Playbook() as play:
        assert _recorded(play, at)
        play.throw(ValueError("boom")).ends("error")
        assert play.end
        assert play.end.fault == RunFault(code="internal", message="ValueError: boom")


def test_an_answer_of_the_wrong_kind_is_named() -> None:
    """A driver that mixes up answers is told which and for what."""
    with Playbook() as play:
        play.expect(ask.CallModel)
        play.reply(ask.Elapsed(), checked=False).ends("error")
        assert play.end
        assert play.end.fault
        assert play.end.fault.message == "TypeError: CallModel was answered with Elapsed"


def _driven(steps: Steps[End], model: Iterator[Turn]) -> End:
    """The smallest driver there is: a function that answers each effect."""
    answer: ask.Answer = None
    while True:
        try:
            effect = steps.send(answer)
        except StopIteration as stop:
            return stop.value
        match effect:
            case ask.CallModel():
                answer = next(model)
            case ask.RunTools(calls=given):
                answer = ok(*(call.name for call in given))
            case ask.Checkpoint():
                answer = ask.Saved()
            case ask.AfterTurn():
                answer = ask.GoOn()
            case _:
                answer = None


def test_a_plain_synchronous_driver_runs_it() -> None:
    """No event loop is needed."""
    run = Run(Session(), Settings(model="m"), Control(), clock=lambda: 0.0, chance=lambda: 0.0)
    end = _driven(loop(run, Queued("go")), iter([calls(READ), says("done")]))
    assert end.outcome == "done"
    assert [message.role for message in run.session.messages] == ["user", "assistant", "user", "assistant"]
