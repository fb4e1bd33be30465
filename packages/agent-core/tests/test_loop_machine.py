"""The loop under a model, tools, people, a clock and faults that do as they like: what holds then holds always.

A machine draws each answer, and what happens between two effects. Everything said or finished carries a mark of its
own, and a summary repeats the marks it was given, so that nothing can go missing unseen: not by an interrupt, a fault,
a compaction, a driver that goes away, or a process that dies and loads what was last made durable.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from msgspec.structs import replace

from beyond_agent_core import effects as ask
from beyond_agent_core.compaction_plan import CompactionSettings, is_summary
from beyond_agent_core.control import Control, Queued
from beyond_agent_core.errors import QueueFull, RunFault
from beyond_agent_core.estimate import tokens_of
from beyond_agent_core.events import AgentEnd
from beyond_agent_core.limits import Limits
from beyond_agent_core.loop import loop
from beyond_agent_core.retry import RetryPolicy
from beyond_agent_core.run import BROKEN_OFF, Run, Settings
from beyond_agent_core.session import Session
from beyond_agent_core.testing import FakeClock, assert_fit, assert_grammar, calls, refuses, says
from beyond_wire.caps import caps_for
from beyond_wire.dialects import dialect_for
from beyond_wire.history import prepare
from beyond_wire.testing.histories import broken_rules
from beyond_wire.types import ImageBlock, ModelRequest, TextBlock, TokenUsage, ToolDef, ToolResultBlock, ToolUseBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_agent_core.events import AgentEvent
    from beyond_agent_core.run import End
    from beyond_agent_core.run_steps import Steps
    from beyond_wire.types import ContentBlock, Message, Turn

MODELS = ("claude-opus-4-8", "gpt-5", "some/other")
"""One of each dialect."""
WINDOW = 6_000
"""Tokens: small, so that a few large results make a compaction due."""
BESIDE = 500
"""Tokens of a prompt that are no messages."""
MARK = re.compile(r"\[m\d+\]")
FAULTS = (
    RunFault(code="http_status", message="503", transient=True, status=503),
    RunFault(code="http_status", message="slow down", transient=True, retry_after=120.0),
    RunFault(code="stream_truncated", message="cut", transient=True, started=True),
    RunFault(code="quota", message="no money"),
)
OVERFLOW = RunFault(code="context_overflow", message="prompt is too long")
WHY: tuple[ask.Why, ...] = ("cancelled", "limit")
BREAKS = (*[None] * 60, "fault", "leave", "die", *["say"] * 4)
SEEDS = st.integers(0, 2**32)
STRETCHES = st.sampled_from((5, 30, 60))
SIZES = (0, 2_500, 2_500, 6_000)
running = precondition(lambda machine: machine.effect is not None)
idle = precondition(lambda machine: machine.effect is None)


class LoopMachine(RuleBasedStateMachine):
    """One session and one control over many runs. `kept` are the marks that the session must hold, each once."""

    def __init__(self) -> None:
        super().__init__()
        self.session, self.control, self.clock = Session(), Control(), FakeClock()
        self.durable, self.kept_durable = self.session.encode(), Counter[str]()
        self.kept, self.queued = Counter[str](), Counter[str]()
        self.unshown: set[str] = set()
        self.events: list[AgentEvent] = []
        self.steps: Steps[End] | None = None
        self.effect: ask.Effect | None = None
        self.over = False
        self.number = 0

    # -- a run begins

    @idle
    @rule(
        prompted=st.sampled_from((True, True, False)),
        model=st.sampled_from(MODELS),
        steps=st.sampled_from((40, 40, 3)),
        enabled=st.sampled_from((True, True, False)),
        retry=st.sampled_from((True, True, False)),
        seed=SEEDS,
        effects=STRETCHES,
    )
    def begin(
        self, *, prompted: bool, model: str, steps: int, enabled: bool, retry: bool, seed: int, effects: int
    ) -> None:
        given = Settings(
            model=model,
            tools=(ToolDef(name="t", description="", input_schema={"type": "object"}),),
            limits=Limits(max_steps=steps, max_seconds=100.0),
            compaction=CompactionSettings(window=WINDOW, enabled=enabled),
            retry=RetryPolicy() if retry else None,
        )
        run = Run(self.session, given, self.control, clock=self.clock, chance=lambda: 0.5)
        prompt = Queued(self._mark()) if prompted else None
        if prompt is not None:
            self.kept[prompt.text] += 1
        self.events, self.over = [], False
        self.steps = loop(run, prompt)
        self._move(None)
        self.play(seed, effects)

    # -- what people do meanwhile

    @rule(follow=st.booleans())
    def say(self, *, follow: bool) -> None:
        text = self._mark()
        try:
            (self.control.follow_up if follow else self.control.steer)(text)
        except QueueFull:
            return
        self.queued[text] += 1

    @running
    @rule(asked=st.sampled_from(("cancel", "stop", "model", "tools", "retry")), model=st.sampled_from(MODELS))
    def request(self, *, asked: str, model: str) -> None:
        match asked:
            case "cancel":
                self.control.cancel()
                self.over = True
            case "stop":
                self.control.request_stop()
            case "model":
                self.control.switch_model(model)
            case "tools":
                self.control.set_tools(["t", "nobody"])
            case _:
                self.control.abort_retry()

    @rule(seconds=st.sampled_from((1.0, 20.0)))
    def wait(self, *, seconds: float) -> None:
        self.clock.now += seconds

    # -- what the driver answers

    @running
    @rule(seed=SEEDS, effects=STRETCHES)
    def play(self, seed: int, effects: int) -> None:
        """Answer so many effects. A seed draws evenly, where Hypothesis would end most runs at their beginning."""
        source = random.Random(f"{seed} {self.number}")  # noqa: S311 - repeatable answers, not secrets
        for _ in range(effects):
            if self.effect is None:
                return
            how = source.choice(BREAKS)
            if how is None:
                self._answer(source)
            elif how == "say":
                self.say(follow=source.random() < 0.5)
            else:
                self._break_off(how)

    def _answer(self, source: random.Random) -> None:
        match self.effect:
            case ask.CallModel(purpose="summary"):
                self._move(self._summary(self.effect.request, source))
            case ask.CallModel():
                self._asked(source)
            case ask.RunTools(calls=given):
                self._move(self._results(given, source))
            case ask.Sleep():
                good = [ask.Elapsed()] * 6
                self._move(source.choice((*good, ask.GivenUp(), ask.Interrupted("cancelled"))))
            case ask.Checkpoint():
                self._saved(failed=source.choice((*[False] * 40, True)))
            case ask.AfterTurn():
                self._move(source.choice((*[ask.GoOn()] * 20, ask.Stop())))
            case _:
                pytest.fail(f"nobody answers {self.effect!r}")

    def _break_off(self, how: str) -> None:
        """The driver raises; goes away without a word; or the process dies, and with it all that is not durable."""
        assert self.steps is not None
        if how == "fault":
            self._step(lambda steps: steps.throw(ValueError("driver")))
            return
        if how == "leave":
            self.steps.close()
        else:
            self.session, self.kept = Session.decode(self.durable), self.kept_durable.copy()
            self.control, self.queued = Control(), Counter[str]()
        self.steps = self.effect = None

    # -- what always holds

    @invariant()
    def nothing_is_lost_and_nothing_is_there_twice(self) -> None:
        plain, folded = _marks(self.session.messages)
        waiting = self.control.pending()
        assert not [mark for mark, count in plain.items() if count > 1]
        lost = set(self.kept) - set(plain) - set(folded) - self.unshown
        assert not lost, "the session has lost what was finished or said"
        inside = Counter({mark: 1 for mark in self.queued if plain[mark] or folded[mark] or mark in self.unshown})
        assert waiting.steers + waiting.follow_ups == (self.queued - inside).total()

    @invariant()
    def between_runs_the_session_can_be_sent_to_everybody(self) -> None:
        if self.effect is not None:
            return
        if self.session.encode() != self.durable:
            assert_fit(self.session)
        for model in MODELS:
            caps = caps_for(model)
            sent = prepare(ModelRequest(model=model, messages=self.session.messages, max_tokens=1), caps)
            assert broken_rules(sent.messages) == []
            # What the format cannot hold is an EncodeError.
            assert dialect_for(model).encode(sent, caps)

    # -- moves

    def _mark(self) -> str:
        self.number += 1
        return f"[m{self.number}]"

    def _asked(self, source: random.Random) -> None:
        assert isinstance(self.effect, ask.CallModel)
        marks = [self._mark() for _ in range(3)]
        named = [("t", {"say": mark}) for mark in marks[1 : source.randint(2, 3)]]
        size = source.choice(SIZES)
        rare = ("text", "text", "cut", "refusal", "refused calls", "fault", "fault", "fault", "overflow", "interrupt")
        kind = source.choice((*["calls"] * 40, *rare))
        text = marks[0] + "x" * min(size, 1_000)
        if kind == "overflow":
            return self._move(ask.CallFailed(OVERFLOW))
        if kind == "fault":
            return self._move(ask.CallFailed(source.choice(FAULTS), usage=TokenUsage(input_tokens=5)))
        if kind == "interrupt":
            return self._move(ask.Interrupted(source.choice(WHY)))
        match kind:
            case "text":
                turn = says(text)
            case "refusal":
                turn = refuses(text)
            case _:
                stop: Any = {"cut": "max_tokens", "refused calls": "refusal"}.get(kind, "end_turn")
                turn = calls(*named, stop=stop, text=text)
        for mark in MARK.findall(str(turn.message.content)):
            self.kept[mark] += 1
        prompt = tokens_of(self.effect.request.messages) + BESIDE
        return self._move(replace(turn, usage=TokenUsage(input_tokens=prompt, output_tokens=size // 4)))

    def _results(self, given: tuple[ToolUseBlock, ...], source: random.Random) -> ask.ToolsDone:
        why: Any = source.choice((*[None] * 20, "cancelled", "limit"))
        results: list[ask.ToolResult] = []
        size = source.choice(SIZES)
        for _ in given:
            if why is not None and source.random() < 0.5:
                results.append(ask.ToolResult(text=BROKEN_OFF, is_error=True))
                continue
            text = self._mark()
            self.kept[text] += 1
            ends = source.choice((*[False] * 9, True))
            results.append(ask.ToolResult(text=text + "y" * size, terminate=ends))
        return ask.ToolsDone(results=tuple(results), interrupted=why)

    def _summary(self, request: ModelRequest, source: random.Random) -> Turn | ask.CallFailed | ask.Interrupted:
        """A good summary has every mark it was given; others fail in each way there is."""
        prompt = str(request.messages[0].content)
        shown = set(MARK.findall(prompt))
        if "earlier part left out" in prompt:
            # A history above the bound of a summary loses its oldest part, by contract.
            self.unshown |= set(MARK.findall(str(self.session.messages))) - shown
        text = " ".join(sorted(shown))
        good = says(text or "nothing")
        wrong = (says(" "), refuses(), ask.CallFailed(FAULTS[0]), ask.CallFailed(FAULTS[3]), ask.Interrupted("limit"))
        return source.choice((*[good] * 8, *wrong))

    def _saved(self, *, failed: bool) -> None:
        if failed:
            return self._move(ask.CheckpointFailed("disk full"))
        self.durable, self.kept_durable = self.session.encode(), self.kept.copy()
        return self._move(ask.Saved())

    def _move(self, answer: ask.Answer) -> None:
        self.over |= isinstance(answer, ask.Interrupted)
        self.over |= isinstance(answer, ask.ToolsDone) and answer.interrupted is not None
        self._step(lambda steps: steps.send(answer))

    def _step(self, move: Callable[[Steps[End]], ask.Effect]) -> None:
        assert self.steps is not None
        try:
            self.effect = move(self.steps)
            while isinstance(self.effect, ask.Emit):
                self.events.append(self.effect.event)
                self.effect = self.steps.send(None)
        except StopIteration:
            self.steps = self.effect = None
            self._ended()
        else:
            assert not (self.over and isinstance(self.effect, ask.CallModel)), "a call behind an interrupt"

    def _ended(self) -> None:
        assert_grammar(self.events)
        end = self.events[-1]
        assert isinstance(end, AgentEnd)
        waiting = self.control.pending()
        assert (end.undelivered.steers, end.undelivered.follow_ups) == waiting
        assert_fit(self.session)


def _marks(messages: tuple[Message, ...]) -> tuple[Counter[str], Counter[str]]:
    """The marks of what stands in a session as it was, and those of its summary; a call's mark counts in its call."""
    plain, folded = Counter[str](), Counter[str]()
    for message in messages:
        for block in message.content:
            (folded if is_summary(message) else plain).update(MARK.findall(_said(block)))
    return plain, folded


def _said(block: ContentBlock) -> str:
    match block:
        case TextBlock():
            return block.text
        case ToolUseBlock():
            return str(block.input)
        case ToolResultBlock():
            return block.content
        case ImageBlock() | _:
            return ""


def test_whatever_happens_nothing_is_lost_and_the_session_can_be_sent() -> None:
    """The invariants of the machine, over runs that are drawn."""
    run_state_machine_as_test(LoopMachine, settings=settings(max_examples=100, stateful_step_count=40, deadline=None))
