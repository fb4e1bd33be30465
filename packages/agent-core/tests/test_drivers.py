"""One loop under three drivers: asyncio's, one of trio and one of plain functions; what they leave is the same.

The other two are written here, as a harness of another kind would write them. A scene says what happens, and when.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
import trio
import trio.testing

from beyond_agent_core import effects as ask
from beyond_agent_core.agent import Agent
from beyond_agent_core.control import Control, Queued
from beyond_agent_core.errors import RunFault
from beyond_agent_core.events import Streamed, ToolEnd, ToolStart, encode_event
from beyond_agent_core.loop import loop
from beyond_agent_core.retry import RetryPolicy
from beyond_agent_core.run import Run, Settings
from beyond_agent_core.session import Session
from beyond_agent_core.testing import Broken, ScriptedTransport, assert_fit, assert_grammar, calls, says, turn
from beyond_agent_core.testing.scripted import events_of
from beyond_agent_core.tools import ToolRegistry, tool
from beyond_wire.accumulate import Accumulator
from beyond_wire.types import TextDelta, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from beyond_agent_core.events import AgentEvent
    from beyond_agent_core.run import End
    from beyond_agent_core.tools import FunctionTool
    from beyond_wire.types import StreamEvent

MODEL: Final = "claude-opus-4-8"
QUICK: Final = RetryPolicy(base_delay_s=0.001)
OUT: Final = RunFault(code="http_status", message="503", transient=True)
LOOK: Final = calls(("look", {"at": "a"}), ("look", {"at": "b"}), text="let me see")


class Scene(NamedTuple):
    """A model's script, and the text or the result at which somebody cancels or stops the run."""

    script: Sequence[Turn | RunFault | Broken]
    outcome: str
    cancel_at: str = ""
    stop_at: str = ""


SCENES = {
    "text": Scene([says("hello there"), says("and that")], "done"),
    "tools and a steer": Scene([LOOK, says("fine"), says("and that")], "done"),
    "faults": Scene([OUT, turn.fail(after=3), LOOK, turn.fail(after=1), says("at last"), says("yes")], "done"),
    "refusal": Scene([turn.refusal()], "refused"),
    "cut": Scene([turn.max_tokens("I", ("look", {"at": "a"})), says("again"), says("yes")], "done"),
    "a cancel in a stream": Scene([LOOK, says("never said in whole")], "cancelled", cancel_at="never"),
    "a cancel behind a tool": Scene([LOOK], "cancelled", cancel_at="saw b"),
    "a stop": Scene([LOOK], "done", stop_at="saw a"),
    "no answer": Scene([RunFault(code="quota", message="no money")], "error"),
}


class Stage:
    """What all drivers are given, and what is looked at behind the end."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.session, self.control = scene, Session(), Control()
        self.told: list[AgentEvent] = []
        self._said = ""
        self.control.follow_up("and that?")

    def emit(self, event: AgentEvent) -> None:
        """Watch, and do what a person would at that moment."""
        self.told.append(event)
        if isinstance(event, Streamed) and isinstance(event.event, TextDelta):
            self._said += event.event.text
        seen = f"{self._said} {event.result if isinstance(event, ToolEnd) else ''}"
        if self.scene.cancel_at and self.scene.cancel_at in seen:
            self.control.cancel()
        if self.scene.stop_at and self.scene.stop_at in seen:
            self.control.request_stop()

    def tool(self) -> FunctionTool:
        control = self.control

        @tool(exclusive=True)
        def look(at: str) -> str:
            """Look at something."""
            if at == "a":
                control.steer("look well")
            return f"saw {at}"

        return look

    def left(self) -> tuple[bytes, list[bytes], tuple[int, int]]:
        """Return what can be compared: the transcript, the events, what still waits."""
        assert_grammar(self.told)
        assert_fit(self.session)
        return self.session.encode(), [encode_event(event) for event in self.told], self.control.pending()


def by_asyncio(stage: Stage) -> str:
    agent = Agent(
        ScriptedTransport(stage.scene.script),
        model=MODEL,
        tools=[stage.tool()],
        retry_base_delay_ms=1,
        chance=lambda: 0.0,
        clock=lambda: 0.0,
    )
    return asyncio.run(agent.run(stage.session, "go", on_event=stage.emit, control=stage.control)).outcome


# -- a driver is what performs effects; these two share what needs no waiting


class Actor:
    """Performs what asks for no waiting, for a driver that does the rest."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.tools = ToolRegistry([stage.tool()])
        settings = Settings(model=MODEL, tools=self.tools.definitions(), retry=QUICK)
        run = Run(stage.session, settings, stage.control, clock=lambda: 0.0, chance=lambda: 0.0)
        self.steps = loop(run, Queued("go"))
        self._script = iter(stage.scene.script)

    def stream(self) -> Iterator[StreamEvent | RunFault]:
        """Yield the next answer of the script, and its fault in place of its end."""
        entry = next(self._script)
        if isinstance(entry, RunFault):
            yield entry
            return
        whole, after = (entry.turn, entry.after) if isinstance(entry, Broken) else (entry, None)
        yield from events_of(whole)[:after]
        if isinstance(entry, Broken) and entry.fault is not None:
            yield entry.fault

    def heard(self, event: StreamEvent | RunFault, answer: Accumulator) -> ask.CallFailed | ask.Interrupted | None:
        """Take an event of an answer; return what ends the call before its end."""
        if isinstance(event, RunFault):
            return ask.CallFailed(event)
        answer.add(event)
        self.stage.emit(Streamed(event=event))
        return ask.Interrupted("cancelled") if self.stage.control.cancelled else None

    def simple(self, effect: ask.Effect) -> ask.Answer:
        match effect:
            case ask.Checkpoint():
                return ask.Saved()
            case ask.AfterTurn():
                return ask.GoOn()
            case ask.Emit():
                return self.stage.emit(effect.event)
            case _:
                raise AssertionError(effect)


def ended(effect: ask.RunTools, at: int, text: str) -> tuple[ToolEnd, ask.ToolResult]:
    block = effect.calls[at]
    return ToolEnd(id=block.id, name=block.name, result=text, is_error=False), ask.ToolResult(text=text)


def started(effect: ask.RunTools, stage: Stage) -> None:
    for block in effect.calls:
        stage.emit(ToolStart(id=block.id, name=block.name, input=block.input))


def done(results: Sequence[ask.ToolResult], stage: Stage) -> ask.ToolsDone:
    return ask.ToolsDone(results=tuple(results), interrupted="cancelled" if stage.control.cancelled else None)


def by_functions(stage: Stage) -> str:
    """The smallest driver: a call for each effect, and nothing else in the process."""
    actor = Actor(stage)

    def asked() -> ask.Answer:
        answer = Accumulator()
        for event in actor.stream():
            if (broken := actor.heard(event, answer)) is not None:
                return broken
        return answer.turn()

    def ran(effect: ask.RunTools) -> ask.ToolsDone:
        started(effect, stage)
        results: list[ask.ToolResult] = []
        for at, block in enumerate(effect.calls):
            event, result = ended(effect, at, str(stage_tool(actor, block.name, block.input)))
            results.append(result)
            stage.emit(event)
        return done(results, stage)

    answer: ask.Answer = None
    while True:
        try:
            effect = actor.steps.send(answer)
        except StopIteration as stop:
            return str(stop.value.outcome)
        match effect:
            case ask.CallModel():
                answer = asked()
            case ask.RunTools():
                answer = ran(effect)
            case ask.Sleep():
                answer = ask.Elapsed()
            case _:
                answer = actor.simple(effect)


def stage_tool(actor: Actor, name: str, given: dict[str, Any]) -> object:
    found = actor.tools.get(name)
    assert found is not None
    nothing: Any = None
    return found.run(given, nothing)


def by_trio(stage: Stage) -> str:
    """Tools run in trio's threads, waits are trio's, on a clock that jumps; asyncio is not there."""

    async def asked(actor: Actor) -> ask.Answer:
        answer = Accumulator()
        for event in actor.stream():
            await trio.lowlevel.checkpoint()
            if (broken := actor.heard(event, answer)) is not None:
                return broken
        return answer.turn()

    async def ran(actor: Actor, effect: ask.RunTools) -> ask.ToolsDone:
        started(effect, stage)
        results: list[ask.ToolResult] = []
        for at, block in enumerate(effect.calls):
            text = await trio.to_thread.run_sync(stage_tool, actor, block.name, block.input)
            event, result = ended(effect, at, str(text))
            results.append(result)
            stage.emit(event)
        return done(results, stage)

    async def drive() -> End:
        actor = Actor(stage)
        answer: ask.Answer = None
        while True:
            try:
                effect = actor.steps.send(answer)
            except StopIteration as stop:
                return stop.value
            match effect:
                case ask.CallModel():
                    answer = await asked(actor)
                case ask.RunTools():
                    answer = await ran(actor, effect)
                case ask.Sleep(seconds=seconds):
                    await trio.sleep(seconds)
                    answer = ask.Elapsed()
                case _:
                    answer = actor.simple(effect)

    return trio.run(drive, clock=trio.testing.MockClock(autojump_threshold=0)).outcome


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("driver", [by_functions, by_trio])
def test_another_driver_leaves_what_asyncio_leaves(driver: Callable[[Stage], str], name: str) -> None:
    """The same transcript byte for byte, the same events in the same order, the same messages still queued."""
    scene = SCENES[name]
    ours, theirs = Stage(scene), Stage(scene)
    assert (by_asyncio(ours), driver(theirs)) == (scene.outcome, scene.outcome)
    assert theirs.left() == ours.left()
