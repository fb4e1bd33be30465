"""The asyncio driver: whatever fails, hangs or is cancelled, the run ends in order and the session is fit again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from beyond_agent_core.agent import Agent
from beyond_agent_core.control import Control, Queued
from beyond_agent_core.dispatch import Dispatcher
from beyond_agent_core.drive import Driver
from beyond_agent_core.drive_backlog import Backlog
from beyond_agent_core.errors import RunFault
from beyond_agent_core.events import AgentEnd, AgentEvent, AgentStart, Streamed, ToolEnd, TurnEnd, TurnRetry, TurnStart
from beyond_agent_core.hooks import Hooks
from beyond_agent_core.limits import Limits
from beyond_agent_core.loop import loop
from beyond_agent_core.run import Run, Settings
from beyond_agent_core.session import Session
from beyond_agent_core.testing import ScriptedTransport, assert_fit, assert_grammar, turn
from beyond_agent_core.tools import ToolRegistry, tool
from beyond_agent_core.transport import TransportFailed
from beyond_wire.types import MessageStart, TextBlock, TextDelta, TokenUsage, usage_event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from beyond_agent_core.run import RunResult
    from beyond_agent_core.testing.scripted import Entry
    from beyond_wire.types import ModelRequest, StreamEvent


@tool
async def read(path: str) -> str:
    """Read a file."""
    await asyncio.sleep(0)
    return f"content of {path}"


SCRIPT: Sequence[Entry] = (turn.calls(("read", {"path": "a"}), ("read", {"path": "b"}), said="so"), turn.text("done"))


async def play(
    script: Sequence[Entry],
    watch: Callable[[AgentEvent], object] = bool,
    *,
    control: Control | None = None,
    session: Session | None = None,
    **options: Any,
) -> tuple[RunResult, list[AgentEvent], Session, ScriptedTransport]:
    """Run to the end within ten seconds; what holds of every run is looked at here."""
    events, session, model = list[AgentEvent](), session or Session(), ScriptedTransport(script)

    def told(event: AgentEvent) -> None:
        events.append(event)
        watch(event)

    agent = Agent(model, model="m", tools=[read], chance=lambda: 0.0, **options)
    try:
        async with asyncio.timeout(10):
            result = await agent.run(session, "go", on_event=told, control=control)
    finally:
        assert_grammar(events)
        assert_fit(session)
    return result, events, session, model


# -- what fails


@pytest.mark.parametrize("kind", [AgentStart, TurnStart, Streamed, TurnEnd, ToolEnd])
def test_a_sink_that_raises_cancels_the_run_and_is_raised(kind: type) -> None:
    """Behind the end, with the session repaired; it is told no more events, and there is no further request."""
    session, seen, model = Session(), list[AgentEvent](), ScriptedTransport(SCRIPT)

    def sink(event: AgentEvent) -> None:
        seen.append(event)
        if isinstance(event, kind):
            raise KeyError("sink")

    agent = Agent(model, model="m", tools=[read])
    with pytest.raises(KeyError, match="sink"):
        asyncio.run(agent.run(session, "go", on_event=sink))
    assert isinstance(seen[-1], kind)
    assert_fit(session)
    assert len(model.requests) <= 1
    result = asyncio.run(Agent(ScriptedTransport([turn.text("again")]), model="m").run(session, "more"))
    assert result.text == "again"


def test_a_transport_that_breaks_ends_the_run_as_internal() -> None:
    """An exception that no transport may raise is told with its type, and the events are balanced."""
    result, events, _, _ = asyncio.run(play([]))
    assert result.outcome == "error"
    assert result.fault == RunFault(code="internal", message="ScriptExhausted: call 1 has no answer in the script")
    assert [event.stop_reason for event in events if isinstance(event, TurnEnd)] == ["error"]


def test_a_failed_checkpoint_lets_no_tool_run() -> None:
    """Plain or not; what cannot be saved is not acted on."""

    def save(at: str, _: Session) -> None:
        if at == "assistant":
            raise OSError(28, "No space left on device")

    result, events, _, _ = asyncio.run(play(SCRIPT, checkpoint=save))
    assert result.fault == RunFault(code="checkpoint_failed", message="OSError: [Errno 28] No space left on device")
    assert [event.is_error for event in events if isinstance(event, ToolEnd)] == [True, True]


def test_without_retry_every_fault_is_final() -> None:
    """And with it a stream that broke is asked for again; its half is not in the session."""
    script = [turn.fail(after=3), turn.text("whole")]
    result, events, session, _ = asyncio.run(play(script))
    assert (result.text, len(session.messages)) == ("whole", 2)
    assert [event.phase for event in events if isinstance(event, TurnRetry)] == ["stream"]
    result, _, session, model = asyncio.run(play(script, retry=None))
    assert (result.outcome, len(model.requests), len(session.messages)) == ("error", 1, 1)


def test_what_a_failed_attempt_cost_counts() -> None:
    """Where it was known before the fault."""

    class Failing:
        async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
            assert request.model == "m"
            yield MessageStart()
            yield usage_event(TokenUsage(input_tokens=900))
            raise TransportFailed(turn.OVERLOADED)

    async def scenario() -> RunResult:
        agent = Agent(Failing(), model="m", limits=Limits(max_tokens_total=500), chance=lambda: 0.0)
        return await asyncio.wait_for(agent.run(Session(), "go"), 10)

    result = asyncio.run(scenario())
    assert result.limit is not None
    assert (result.outcome, result.limit.used) == ("limit", 900)


def test_a_transport_that_cancels_itself_is_a_fault_of_its_own() -> None:
    """The run ends in order and says so, and is not taken for cancelled."""

    class Leaving:
        async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
            assert request.model == "m"
            yield MessageStart()
            raise asyncio.CancelledError

    events = list[AgentEvent]()
    run = Agent(Leaving(), model="m").run(Session(), "go", on_event=events.append)
    result = asyncio.run(asyncio.wait_for(run, 10))
    assert_grammar(events)
    assert result.fault == RunFault(code="internal", message="RuntimeError: the model call was cancelled from within")


# -- cancels


async def count_events() -> int:
    return len((await play(SCRIPT))[1])


@pytest.mark.parametrize("how", ["control", "task"])
def test_a_cancel_at_every_event(how: str) -> None:
    """Of a recorded run: the session is fit, the events are balanced, no request follows, a queued message is once."""

    async def scenario(at: int) -> None:
        control, session, seen, asked = Control(), Session(), list[AgentEvent](), -1

        def watch(event: AgentEvent) -> None:
            nonlocal asked
            if len(seen) == at:
                asked = sum(isinstance(one, TurnStart) for one in seen)
                control.follow_up("later")
                if how == "control":
                    control.cancel()
                else:
                    task.cancel()
            seen.append(event)

        task = asyncio.ensure_future(play(SCRIPT, watch, control=control, session=session))
        if how == "control":
            result, _, _, model = await task
            assert result.outcome == "cancelled", at
            assert len(model.requests) <= asked, at
        else:
            with pytest.raises(asyncio.CancelledError):
                await task
        assert isinstance(seen[-1], AgentEnd)
        assert seen[-1].outcome == "cancelled", at
        said = sum(block == TextBlock(text="later") for message in session.messages for block in message.content)
        assert said + control.pending().follow_ups == 1, at

    # The last event is the end, behind which there is nothing to cancel.
    for at in range(asyncio.run(count_events()) - 1):
        asyncio.run(scenario(at))


def test_a_stream_that_is_all_there_is_left_at_a_cancel() -> None:
    """A transport that never waits would else be read to its end."""

    class Ready:
        async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
            assert request.model == "m"
            yield MessageStart()
            for _ in range(1000):
                yield TextDelta(index=0, text="x")

    control, events = Control(), list[AgentEvent]()

    def watch(event: AgentEvent) -> None:
        events.append(event)
        if sum(isinstance(one, Streamed) for one in events) == 3:
            control.cancel()

    result = asyncio.run(Agent(Ready(), model="m").run(Session(), "go", on_event=watch, control=control))
    assert result.outcome == "cancelled"
    assert sum(isinstance(one, Streamed) for one in events) == 3


def test_a_cancel_at_every_turn_of_the_event_loop() -> None:
    """The task is cancelled after so many turns of the loop, wherever that is; then it ends in order."""

    async def scenario(turns: int) -> bool:
        task = asyncio.ensure_future(play(SCRIPT))
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.done():
            return False
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return True

    tried = 1
    while asyncio.run(scenario(tried)):
        tried += 1
    assert tried > 20


def test_no_request_follows_a_cancel_at_any_turn_of_the_event_loop() -> None:
    """Whatever the run was about to do when the control was told, the model is not asked any more."""

    async def scenario(turns: int) -> bool:
        control, model = Control(), ScriptedTransport([*SCRIPT, *SCRIPT])
        control.follow_up("more")
        agent = Agent(model, model="m", tools=[read])
        task = asyncio.ensure_future(agent.run(Session(), "go", control=control))
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.done():
            return False
        control.cancel()
        asked = len(model.requests)
        await task
        assert len(model.requests) == asked, turns
        return True

    tried = 1
    while asyncio.run(scenario(tried)):
        tried += 1
    assert tried > 20


def test_time_that_is_up_ends_whatever_hangs() -> None:
    """A stalled stream, a wait for a further attempt, a tool: as the limit that it is, and the session goes on."""

    @tool
    async def hang() -> str:
        """Hang."""
        await asyncio.sleep(3600)
        return ""

    wait = RunFault(code="http_status", message="503", transient=True, retry_after=50.0, status=503)
    for script in ([turn.stall(after=2)], [wait], [turn.tool_call("hang")]):

        async def scenario(script: Sequence[Entry] = script) -> None:
            session, events = Session(), list[AgentEvent]()
            first = Agent(ScriptedTransport(script), model="m", tools=[hang], limits=Limits(max_seconds=0.05))
            begun = asyncio.get_running_loop().time()
            result = await first.run(session, "go", on_event=events.append)
            assert asyncio.get_running_loop().time() - begun < 1
            assert_grammar(events)
            assert (result.outcome, result.limit and result.limit.name) == ("limit", "max_seconds")
            second = await Agent(ScriptedTransport([turn.text("on")]), model="m").run(session)
            assert second.text == "on"

        asyncio.run(scenario())


def test_a_stream_without_events_is_stalled_and_asked_for_again() -> None:
    """Judged by the events of the answer; the wait for a slow watcher is none."""

    async def scenario() -> tuple[list[AgentEvent], str]:
        session, events, control = Session(), list[AgentEvent](), Control()
        run = Run(session, Settings(model="m"), control, clock=lambda: 0.0, chance=lambda: 0.0)
        model = ScriptedTransport([turn.stall(after=2), turn.text("hello there")])
        rooms = 0

        async def room() -> None:
            nonlocal rooms
            rooms += 1
            await asyncio.sleep(0.08 if rooms == 4 else 0)

        driver = Driver(
            run, model, Dispatcher(ToolRegistry(), events.append, session), events.append, room=room, event_idle_s=0.05
        )
        end = await asyncio.wait_for(driver.drive(loop(run, Queued("go"))), 10)
        return events, end.outcome

    events, outcome = asyncio.run(scenario())
    assert outcome == "done"
    assert [(event.phase, event.error_code) for event in events if isinstance(event, TurnRetry)] == [
        ("stream", "stream_stalled")
    ]


def test_a_checkpoint_that_hangs_has_its_time_when_the_run_is_cancelled() -> None:
    """The one at the end is still made; one that does not end is given up, and the run ends."""

    async def scenario(seconds: float) -> tuple[str, list[str]]:
        session, events, control, saved = Session(), list[AgentEvent](), Control(), list[str]()
        run = Run(session, Settings(model="m"), control, clock=lambda: 0.0, chance=lambda: 0.0)

        async def save(at: str) -> None:
            if at == "prompt":
                control.cancel()
                await asyncio.sleep(seconds)
            saved.append(at)

        driver = Driver(
            run,
            ScriptedTransport([]),
            Dispatcher(ToolRegistry(), events.append, session),
            events.append,
            save=save,
            grace_s=0.05,
        )
        end = await asyncio.wait_for(driver.drive(loop(run, Queued("go"))), 10)
        assert_grammar(events)
        return end.outcome, saved

    assert asyncio.run(scenario(0.01)) == ("cancelled", ["prompt", "end"])
    assert asyncio.run(scenario(3600)) == ("error", ["end"])


def test_time_that_was_up_before_a_request_lets_none_begin() -> None:
    """Though the clock of the loop has not seen it: what interrupts one effect interrupts the next."""

    async def scenario() -> tuple[str, ScriptedTransport]:
        session, control, model, events = (
            Session(),
            Control(),
            ScriptedTransport([turn.text("never")]),
            list[AgentEvent](),
        )
        settings = Settings(model="m", limits=Limits(max_seconds=0.01))
        run = Run(session, settings, control, clock=lambda: 0.0, chance=lambda: 0.0)

        async def save(at: str) -> None:
            await asyncio.sleep(0.03 if at == "prompt" else 0)

        driver = Driver(run, model, Dispatcher(ToolRegistry(), events.append, session), events.append, save=save)
        return (await driver.drive(loop(run, Queued("go")))).outcome, model

    outcome, model = asyncio.run(scenario())
    assert (outcome, model.requests) == ("limit", [])


def test_a_control_is_idle_behind_a_run() -> None:
    """What is asked of it then reaches no event loop that is gone, and a next run begins without it."""
    control = Control()
    asyncio.run(play(SCRIPT, control=control))
    control.cancel()
    control.steer("and this")
    result, _, session, _ = asyncio.run(play([turn.text("both")], control=control))
    assert (result.outcome, len(session.messages[0].content)) == ("done", 2)


# -- iterating


def test_the_model_is_not_read_on_while_nobody_takes_events() -> None:
    """The stream is paused at 1,024 events and goes on when they are taken; all arrive, in order."""
    given = 0

    class Long:
        async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
            nonlocal given
            assert request.model == "m"
            yield MessageStart()
            for number in range(5000):
                given = number
                yield TextDelta(index=0, text=f"{number} ")
            async for event in ScriptedTransport([turn.text("x")]).stream(request):
                if not isinstance(event, MessageStart):
                    yield event

    async def scenario() -> list[AgentEvent]:
        events = Agent(Long(), model="m").stream(Session(), "go")
        first = [await anext(events)]
        for _ in range(3000):
            await asyncio.sleep(0)
        assert 900 < given < 1100
        return first + [event async for event in events]

    events = asyncio.run(scenario())
    assert_grammar(events)
    text = "".join(
        event.event.text for event in events if isinstance(event, Streamed) and isinstance(event.event, TextDelta)
    )
    assert text == "".join(f"{number} " for number in range(5000)) + "x"


def test_a_backlog_gives_what_it_has_before_its_end() -> None:
    """Behind the last event comes None, as often as asked."""

    async def scenario() -> None:
        backlog = Backlog(2)
        backlog.put(AgentStart())
        await backlog.room()
        backlog.put(AgentStart())
        waiting = asyncio.ensure_future(backlog.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        backlog.close()
        got = [await backlog.get() for _ in range(4)]
        assert [type(event) for event in got] == [AgentStart, AgentStart, type(None), type(None)]
        await asyncio.wait_for(waiting, 1)

    asyncio.run(scenario())


def test_leaving_an_iteration_cancels_the_run() -> None:
    """At any event; the session is free and fit again."""

    async def scenario() -> None:
        total = len((await play(SCRIPT))[1])
        for at in range(1, total):
            session = Session()
            events = Agent(ScriptedTransport(SCRIPT), model="m", tools=[read]).stream(session, "go")
            for _ in range(at):
                await anext(events)
            await events.aclose()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - it is a generator
            assert_fit(session)
            session.take()

    asyncio.run(scenario())


def test_an_end_is_told_once_whatever_hook_fails() -> None:
    """A gate that raises and a hook that observes: one agent_end each, done."""

    def fail(*_: object) -> Any:
        raise ValueError("hook")

    for hooks in (Hooks(before_tool_call=fail), Hooks(on_assistant_message=fail, should_stop_after_turn=fail)):
        result, events, _, _ = asyncio.run(play(SCRIPT, hooks=hooks))
        assert result.outcome == "done"
        assert sum(isinstance(event, AgentEnd) for event in events) == 1
