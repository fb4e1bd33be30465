"""An agent with the real loop, the real driver and a scripted model: settings, ends, sessions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from core_play import play, read, results

from beyond_agent_core.agent import Agent
from beyond_agent_core.compaction import Unchanged
from beyond_agent_core.compaction_plan import CompactionSettings
from beyond_agent_core.control import Control
from beyond_agent_core.errors import ConfigError, RunFault, SessionBusy
from beyond_agent_core.events import AgentEnd, AgentEvent, Compacted, Streamed, ToolEnd, TurnRetry
from beyond_agent_core.limits import Limits
from beyond_agent_core.session import Session
from beyond_agent_core.testing import ScriptedTransport, assert_fit, assert_grammar, calls, says, turn
from beyond_agent_core.tools import tool
from beyond_wire.types import Caps, TextBlock, TextDelta, Thinking, assistant

if TYPE_CHECKING:
    from typing import Any

    from beyond_wire.types import Turn


@tool
async def wait(name: str) -> str:
    """Wait for ever."""
    await asyncio.sleep(3600)
    return name


def test_a_model_a_tool_and_an_answer() -> None:
    """The whole way: text streams as it comes, the tool runs, the model sees what it gave."""
    result, events, session, model = play([calls(("read", {"path": "a"}), text="let me see"), says("it is x")], read)
    assert (result.outcome, result.text, result.steps) == ("done", "it is x", 2)
    assert results(session) == [("content of a", False)]
    said = "".join(
        event.event.text for event in events if isinstance(event, Streamed) and isinstance(event.event, TextDelta)
    )
    assert said == "let me seeit is x"
    assert [given.name for given in model.requests[0].tools] == ["read"]
    assert len(model.requests[1].messages) == 3


@pytest.mark.parametrize("turn", [calls(("wait", {"name": "a"}), ("read", {"path": "b"})), says("a long answer")])
def test_a_cancel_ends_the_run_and_loses_nothing_finished(turn: Turn) -> None:
    """In a stream nothing is pushed; in tools the finished one keeps its result. No request follows."""
    control, session, model = Control(), Session(), ScriptedTransport([turn])
    agent = Agent(model, model="m", tools=[read, wait])
    events: list[AgentEvent] = []

    def watch(event: AgentEvent) -> None:
        events.append(event)
        done = isinstance(event, ToolEnd) and event.name == "read"
        if done or (isinstance(event, Streamed) and len(turn.message.content) == 1):
            control.cancel()

    result = asyncio.run(agent.run(session, "go", on_event=watch, control=control))
    assert result.outcome == "cancelled"
    assert len(model.requests) == 1
    assert_grammar(events)
    assert_fit(session)
    if results(session):
        assert results(session) == [
            ("cancelled: tool call aborted before it finished", True),
            ("content of b", False),
        ]
    else:
        assert len(session.messages) == 1


def test_cancelling_the_task_ends_the_run_in_order_first() -> None:
    """The session is repaired and the end is told; then CancelledError goes on."""
    session, events = Session(), list[AgentEvent]()
    agent = Agent(ScriptedTransport([calls(("wait", {"name": "a"}))]), model="m", tools=[wait])

    async def scenario() -> None:
        started = asyncio.Event()

        def watch(event: AgentEvent) -> None:
            events.append(event)
            if event.__class__.__name__ == "ToolStart":
                started.set()

        task = asyncio.ensure_future(agent.run(session, "go", on_event=watch))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert_grammar(events)
    assert_fit(session)
    end = events[-1]
    assert isinstance(end, AgentEnd)
    assert end.outcome == "cancelled"


def test_time_that_is_up_ends_a_hanging_tool() -> None:
    """Within a moment, as the limit that it is."""
    result, _, session, _ = play([calls(("wait", {"name": "a"}))], wait, limits=Limits(max_seconds=0.05))
    assert result.outcome == "limit"
    assert result.limit is not None
    assert result.limit.name == "max_seconds"
    assert results(session)[0][1]


def test_a_cancelled_tool_is_told_and_waited_for() -> None:
    """It may clean up, and the run ends only behind that."""
    control = Control()
    cleaned: list[str] = []

    @tool
    async def careful() -> str:
        """Clean up when it is cancelled."""
        control.cancel()
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.02)
            cleaned.append("up")
        return "never"

    at_the_end: list[list[str]] = []

    def watch(event: AgentEvent) -> None:
        if isinstance(event, AgentEnd):
            at_the_end.append(cleaned.copy())

    agent = Agent(ScriptedTransport([calls(("careful", {}))]), model="m", tools=[careful])
    result = asyncio.run(agent.run(Session(), "go", on_event=watch, control=control))
    assert (result.outcome, at_the_end) == ("cancelled", [["up"]])


def test_a_failed_call_is_tried_again() -> None:
    """The wait is real and short; the answer is the only thing that stays."""
    fault = RunFault(code="http_status", message="503", transient=True, status=503)
    result, _, session, model = play([fault, says("hello")])
    assert (result.outcome, len(model.requests), len(session.messages)) == ("done", 2, 2)


def test_a_checkpoint_that_fails_ends_the_run() -> None:
    """What cannot be saved is not acted on."""

    async def save(at: str, _: Session) -> None:
        if at == "assistant":
            raise OSError(28, "No space left on device")

    result, _, session, _ = play([calls(("read", {"path": "a"}))], read, checkpoint=save)
    assert result.outcome == "error"
    assert result.fault is not None
    assert result.fault.code == "checkpoint_failed"
    assert results(session) == [("tool call not run: the session could not be saved", True)]


def test_one_run_a_session_and_many_sessions_an_agent() -> None:
    """A second run on a session is refused; two sessions run at once."""

    async def scenario() -> None:
        agent = Agent(ScriptedTransport([says("a"), says("b"), says("c")]), model="m")
        session = Session()
        session.take()
        with pytest.raises(SessionBusy):
            await agent.run(session, "go")
        both = await asyncio.gather(agent.run(Session(), "x"), agent.run(Session(), "y"))
        assert [result.outcome for result in both] == ["done", "done"]

    asyncio.run(scenario())


def test_events_can_be_iterated_and_left() -> None:
    """`stream` gives the events; leaving it cancels the run."""

    async def scenario() -> None:
        session = Session()
        agent = Agent(ScriptedTransport([says("hello"), says("again")]), model="m")
        events = [event async for event in agent.stream(session, "go")]
        assert_grammar(events)
        stream = agent.stream(session, "more")
        assert (await anext(stream)).__class__.__name__ == "AgentStart"
        await stream.aclose()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - it is a generator
        assert_fit(session)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("transport", object(), "must have a method stream"),
        ("model", "", "must name one"),
        ("max_retries", -1, "must be 0 or above"),
        ("retry_base_delay_ms", 0, "must be above 0"),
        ("event_idle_timeout", 0.0, "must be above 0"),
        ("max_tokens", 0, "must be above 0"),
        ("thinking", -1, "must be above 0"),
        ("tool_timeout", 0, "must be above 0"),
        ("progress_interval", float("nan"), "must be above 0"),
        ("progress_bytes", 0, "must be above 0"),
        ("max_result_bytes", 199, "must be at least 200"),
        ("max_turn_bytes", 0, "must be at least 200"),
        ("reasoning_effort", "huge", "must be one of minimal, low, medium, high, xhigh"),
        ("temperature", -0.1, "must be 0 or above"),
        ("temperature", float("inf"), "must be 0 or above"),
        ("temperature", "hot", "must be 0 or above"),
        ("max_tokens", "5", "must be above 0"),
        ("max_retries", "1", "must be 0 or above"),
        ("max_turn_bytes", "x", "must be at least 200"),
        ("limits", {"max_steps": 3}, "must be of type Limits"),
        ("hooks", print, "must be of type Hooks"),
        ("write_locks", {}, "must be of type WriteLocks"),
        ("compaction", True, "must be of type CompactionSettings"),
        ("caps", {}, "must be of type Caps"),
    ],
)
def test_a_bad_setting_is_refused_when_the_agent_is_made(field: str, value: object, text: str) -> None:
    """Not at the first turn, and by its name."""
    settings: dict[str, Any] = {"transport": ScriptedTransport([]), "model": "m"} | {field: value}
    with pytest.raises(ConfigError) as told:
        Agent(settings.pop("transport"), **settings)
    assert (told.value.field, str(told.value)) == (field, f"{field}: {text}")


def test_what_an_agent_is_told_is_in_its_requests() -> None:
    """The system text may be a function, asked once a turn, also where the turn takes several attempts."""
    asked = 0

    def system() -> str:
        nonlocal asked
        asked += 1
        return f"turn {asked}"

    script = [RunFault(code="http_status", message="503", transient=True), calls(("read", {"path": "a"})), says("x")]
    _, _, _, model = play(
        script, read, system=system, reasoning_effort="low", cache_long=True, block_images=True, cache_key="k"
    )
    assert [request.system for request in model.requests] == ["turn 1", "turn 1", "turn 2"]
    told = {(one.reasoning_effort, one.cache_long, one.block_images, one.cache_key) for one in model.requests}
    assert told == {("low", True, True, "k")}
    _, _, _, model = play([says("x")], system="always")
    assert model.requests[0].system == "always"


def test_how_often_and_when_it_is_tried_again_can_be_set() -> None:
    """The waits double from the first one; a stream is given up after its idle time."""
    broken = RunFault(code="http_status", message="503", transient=True)
    script = [turn.stall(after=1), broken, broken, says("x")]
    result, events, _, _ = play(script, max_retries=2, retry_base_delay_ms=1, event_idle_timeout=0.02)
    assert result.text == "x"
    retries = [(one.phase, one.attempt, one.max_attempts, one.delay_ms) for one in events if isinstance(one, TurnRetry)]
    assert retries == [("stream", 1, 2, 1), ("connect", 1, 2, 1), ("connect", 2, 2, 2)]
    result, _, _, model = play([broken], max_retries=0)
    assert (result.fault, len(model.requests)) == (broken, 1)


def test_a_switch_brings_its_own_thinking() -> None:
    """A budget or an effort in the place of what the agent was made with; what it knows of models holds for all."""
    control = Control()

    @tool
    def switch(to: str) -> str:
        """Switch."""
        control.switch_model(to, 2048 if to == "b" else None, None if to == "b" else "high")
        return to

    def ability(model: str) -> Caps:
        return Caps(dialect="chat", max_output={"a": 4_500, "b": 5_000, "c": 5_500}[model])

    script = [calls(("switch", {"to": "b"})), calls(("switch", {"to": "c"})), says("x")]
    model, session = ScriptedTransport(script), Session()
    agent = Agent(model, model="a", tools=[switch], reasoning_effort="low", caps=ability)
    asyncio.run(agent.run(session, "go", control=control))
    seen = [(one.model, one.reasoning_effort, one.thinking, one.max_tokens) for one in model.requests]
    assert seen == [
        ("a", "low", None, 4_500),
        ("b", None, Thinking(budget_tokens=2048), 5_000),
        ("c", "high", None, 5_500),
    ]


def test_a_session_is_compacted_by_hand() -> None:
    """Its history becomes a summary and what was last said; one that is small stays, and one that runs is busy."""

    async def scenario() -> None:
        model = ScriptedTransport([says("what has been done")])
        agent = Agent(model, model="m", compaction=CompactionSettings(keep_recent=10))
        session, events = Session(), list[AgentEvent]()
        assert isinstance(await agent.compact(session), Unchanged)
        for number in range(6):
            session.user(f"question {number} " + "x" * 400)
            session.push(assistant([TextBlock(text=f"answer {number} " + "y" * 400)]))
        done = await agent.compact(session, "mind the answers", on_event=events.append)
        assert isinstance(done, Compacted)
        assert [type(event).__name__ for event in events] == ["CompactionStart", "Compacted"]
        assert "mind the answers" in str(model.requests[0].messages)
        assert len(session.messages) < 6
        session.take()
        with pytest.raises(SessionBusy):
            await agent.compact(session)

    asyncio.run(scenario())
