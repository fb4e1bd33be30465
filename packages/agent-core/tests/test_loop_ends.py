"""A run that is cut off, anywhere and anyhow: it ends once, in order, with a session that can be sent again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from beyond_agent_core import effects as ask
from beyond_agent_core.compaction_plan import CompactionSettings
from beyond_agent_core.control import Control, Queued
from beyond_agent_core.errors import RunFailed, RunFault
from beyond_agent_core.events import AgentEnd, TurnEnd, TurnStart
from beyond_agent_core.limits import Limits, Prices
from beyond_agent_core.loop import loop
from beyond_agent_core.run import Run, Settings
from beyond_agent_core.session import Session
from beyond_agent_core.testing import FakeClock, Recorded, assert_fit, assert_grammar, calls, record_run, says
from beyond_wire.caps import caps_for
from beyond_wire.history import prepare
from beyond_wire.testing.histories import broken_rules
from beyond_wire.types import Message, TextBlock, TokenUsage, ToolResultBlock, Turn

SETTINGS = Settings(
    model="m", limits=Limits(max_seconds=100), compaction=CompactionSettings(window=8_000, keep_recent=1_000)
)
READ, WRITE = ("read", {"path": "a"}), ("write", {"path": "b"})
BUSY = RunFault(code="http_status", message="503", transient=True)
CUT = RunFault(code="stream_truncated", message="cut", transient=True, started=True)
OVERFLOW = RunFault(code="context_overflow", message="prompt is too long")
LATE = replace(calls(READ), usage=TokenUsage(input_tokens=7_000, output_tokens=5))
"""Calls at whose end the history is above the trigger."""
SCRIPT: tuple[Any, ...] = (
    BUSY,
    calls(READ, WRITE),
    calls(WRITE, stop="max_tokens"),
    LATE,
    "a summary",
    says("resting"),
    OVERFLOW,
    "another summary",
    calls(READ),
    says("done"),
)


class Witnessed(Session):
    """A session that remembers what was pushed, because a compaction folds it."""

    def __init__(self) -> None:
        super().__init__()
        self.pushed: list[Message] = []

    def push(self, message: Message) -> None:
        self.pushed.append(message)
        super().push(message)


class World:
    """A driver and its surroundings, from a script; at effect number `at` it does `what`."""

    def __init__(self, script: tuple[Any, ...] = SCRIPT, *, at: int = -1, what: str = "") -> None:
        self.session = Witnessed()
        for number in range(3):
            self.session.user(f"question {number} " + "q" * 3_000)
            self.session.push(says(f"answer {number} " + "a" * 3_000).message)
        self.control = Control()
        self.control.steer("<1>")
        self.control.follow_up("<2>")
        self.clock = FakeClock()
        self.script = list(script)
        self.at = at
        self.what = what
        self.number = -1
        self.steered = 0
        self.run = Run(self.session, SETTINGS, self.control, clock=self.clock, chance=lambda: 0.5)

    def record(self) -> Recorded:
        return record_run(self.run, Queued("go"), self.answer)

    def answer(self, effect: ask.Effect) -> ask.Answer:
        self.number += 1
        if self.number == self.at:
            return self.cut(effect)
        if self.number == 8:
            self.control.steer("<3>")
            self.steered = 1
        match effect:
            case ask.Emit():
                return None
            case ask.CallModel(purpose=purpose):
                said = self.script.pop(0) if self.script else says("the end")
                if isinstance(said, RunFault):
                    return ask.CallFailed(said, usage=TokenUsage(output_tokens=1))
                if isinstance(said, str):
                    assert purpose == "summary"
                    return says(said)
                return said
            case ask.RunTools(calls=called):
                return ask.ToolsDone(results=tuple(ask.ToolResult(text="x" * 900) for _ in called))
            case ask.Sleep():
                return ask.Elapsed()
            case ask.Checkpoint():
                return ask.Saved()
            case ask.AfterTurn():
                return ask.GoOn()

    def cut(self, effect: ask.Effect) -> ask.Answer:
        """Break the run off at an effect."""
        if self.what == "raise":
            raise OSError("no driver")
        why: ask.Why = "limit" if self.what == "limit" else "cancelled"
        if why == "limit":
            self.clock.now += 200
        else:
            self.control.cancel()
        match effect:
            case ask.CallModel() | ask.Sleep():
                return ask.Interrupted(why)
            case ask.RunTools(calls=called):
                return ask.ToolsDone(results=tuple(ask.ToolResult(text="x") for _ in called), interrupted=why)
            case ask.Checkpoint():
                return ask.CheckpointFailed("full") if self.what == "full" else ask.Saved()
            case ask.AfterTurn():
                return ask.GoOn()
            case _:
                return None

    def held(self, text: str) -> int:
        """How often a message stands in the session or in a lane."""
        said = sum(block.text == text for message in self.session.pushed for block in message.content
                   if isinstance(block, TextBlock))  # fmt: skip
        waiting: list[Queued] = []
        while self.control.deliver_at_rest(waiting.extend):
            pass
        for message in waiting:
            self.control.steer(message.text)
        return said + [message.text for message in waiting].count(text)


def holds(world: World, record: Recorded) -> None:
    """What every run keeps, however it ends."""
    assert_grammar(record.events)
    assert_fit(world.session)
    assert sum(isinstance(event, AgentEnd) for event in record.events) == 1
    for model in ("claude-opus-4-8", "gpt-5", "m"):
        caps = caps_for(model)
        request = replace(world.run.request(), model=model)
        assert not broken_rules(prepare(request, caps).messages)


EFFECTS = len(World().record().effects)


def test_the_recorded_run_has_everything() -> None:
    """Else the tests below would prove less than they say."""
    record = World().record()
    assert record.end.outcome == "done"
    kinds = {type(effect) for effect in record.effects}
    assert kinds == {ask.Emit, ask.CallModel, ask.RunTools, ask.Sleep, ask.Checkpoint, ask.AfterTurn}
    told = [str(type(event).__struct_config__.tag) for event in record.events]
    assert told.count("compacted") == 2
    assert told.count("steered") == 3
    assert record == World().record()


@pytest.mark.parametrize("what", ["cancel", "limit"])
@pytest.mark.parametrize("at", range(EFFECTS))
def test_an_interrupt_at_every_effect_ends_in_order(at: int, what: str) -> None:
    """No request after it, each queued message once somewhere; and the next run goes on."""
    world = World(at=at, what=what)
    record = world.record()
    holds(world, record)
    assert not any(isinstance(effect, ask.CallModel) for effect in record.effects[at + 1 :])
    if record.end.outcome != "done":
        assert record.end.outcome == {"cancel": "cancelled"}.get(what, "limit")
    assert [world.held(text) for text in ("<1>", "<2>", "<3>")] == [1, 1, world.steered]
    world.run = Run(world.session, SETTINGS, world.control, clock=FakeClock(), chance=lambda: 0.5)
    world.at, world.script = -1, []
    again = record_run(world.run, Queued("again"), world.answer)
    assert again.end.outcome == "done"
    holds(world, again)


@pytest.mark.parametrize("at", range(EFFECTS))
def test_a_fault_of_the_driver_at_every_effect_ends_in_order(at: int) -> None:
    """Events included: the run ends as `internal`, the exception is kept as its cause."""
    world = World(at=at, what="raise")
    record = world.record()
    holds(world, record)
    if at < EFFECTS - 1:
        assert record.end.fault == RunFault(code="internal", message="OSError: no driver")
        with pytest.raises(RunFailed, match="no driver") as told:
            world.run.result(record.end).raise_for_outcome()
        assert isinstance(told.value.__cause__, OSError)
    assert [world.held(text) for text in ("<1>", "<2>")] == [1, 1]


@pytest.mark.parametrize("at", range(EFFECTS))
def test_a_driver_that_goes_away_leaves_a_session_that_can_be_sent(at: int) -> None:
    """A closed generator tells nobody, but repairs."""
    world = World()
    steps = loop(world.run, Queued("go"))
    effect = next(steps)
    for _ in range(at):
        effect = steps.send(world.answer(effect))
    steps.close()
    assert_fit(world.session)
    assert not world.control.stop_requested


ANSWERS = st.sampled_from(
    (
        says("x"),
        says("", "tool_use"),
        says("no", "refusal"),
        calls(READ, stop="refusal"),
        calls(READ),
        calls(READ, WRITE, stop="end_turn"),
        calls(WRITE, stop="max_tokens"),
        LATE,
        BUSY,
        CUT,
        OVERFLOW,
        RunFault(code="quota", message="no money"),
    )
)


@given(
    st.lists(ANSWERS, max_size=30),
    st.integers(0, 80),
    st.sampled_from(("cancel", "limit", "raise", "full", "")),
)
def test_whatever_happens_the_session_can_be_sent_and_events_are_in_order(
    script: list[Turn | RunFault], at: int, what: str
) -> None:
    """Random answers and faults, cut off at a random effect in a random way."""
    world = World(tuple(script), at=at if what else -1, what=what)
    before = world.session.messages
    record = world.record()
    holds(world, record)
    if not any(isinstance(event, TurnStart) for event in record.events):
        assert world.session.messages[: len(before)] == before


def test_without_retry_a_fault_is_final_and_what_it_cost_counts() -> None:
    """No wait, no second request; the priced tokens of the attempt are in the run's budget."""
    world = World((BUSY,))
    world.run.settings = replace(SETTINGS, retry=None, limits=Limits(max_cost=1, prices=Prices(input=10, output=1)))
    record = world.record()
    assert record.end.fault == BUSY
    assert not any(isinstance(effect, ask.Sleep) for effect in record.effects)
    assert (world.run.used.cost, world.run.used.tokens) == (0.000_001, 1)


def test_the_result_is_of_this_run() -> None:
    """Its usage and text are not the session's; what waits is told; `done` raises nothing."""
    world = World((says("first"),))
    world.session.record_usage(TokenUsage(input_tokens=999))
    world.run = Run(world.session, SETTINGS, world.control, clock=world.clock, chance=lambda: 0.5)
    world.control.steer("<4>")
    record = world.record()
    result = world.run.result(record.end)
    result.raise_for_outcome()
    assert (result.text, result.steps, result.undelivered.steers) == ("the end", 4, 0)
    assert result.usage.input_tokens == 40
    limited = World((calls(READ),))
    limited.run.settings = replace(SETTINGS, limits=Limits(max_steps=1))
    ended = limited.run.result(limited.record().end)
    assert ended.undelivered.follow_ups == 1
    with pytest.raises(RunFailed, match="reached max steps") as told:
        ended.raise_for_outcome()
    assert told.value.outcome == "limit"


def test_a_session_that_was_left_in_the_middle_of_a_round_is_mended_first() -> None:
    """As after a crash behind the checkpoint `assistant`: its calls get results, and the prompt comes behind them."""
    world = World((says("on"),))
    world.session.push(calls(READ, WRITE).message)
    holds(world, world.record())
    results = [block for message in world.session.messages for block in message.content
               if isinstance(block, ToolResultBlock)]  # fmt: skip
    assert [result.is_error for result in results] == [True, True]


def test_a_steer_joins_the_results_of_calls_that_did_not_run() -> None:
    """When an answer was cut; at a refusal the queues stay as they are."""
    world = World((calls(READ, stop="max_tokens"), calls(READ, stop="refusal")))
    world.control.steer("<4>")
    record = world.record()
    assert record.end.outcome == "refused"
    content = world.session.messages[-3].content
    assert [type(block) for block in content] == [ToolResultBlock, TextBlock]
    assert world.control.pending().follow_ups == 1


@pytest.mark.parametrize(("what", "stop"), [("cancel", "aborted"), ("limit", "aborted"), ("raise", "error")])
def test_a_turn_that_was_cut_off_says_how(what: str, stop: str) -> None:
    """An interrupted one is `aborted`, one that failed is `error`."""
    ends = [event for event in World(at=4, what=what).record().events if isinstance(event, TurnEnd)]
    assert [event.stop_reason for event in ends] == [stop]
