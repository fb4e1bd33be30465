"""Hooks: what they may change, and that one that fails changes nothing but a gate."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from beyond_agent_core.agent import Agent
from beyond_agent_core.compaction_plan import CompactionSettings
from beyond_agent_core.compaction_text import SYSTEM
from beyond_agent_core.control import Control
from beyond_agent_core.events import AgentEvent, Compacted, TurnEnd
from beyond_agent_core.hooks import Hooks
from beyond_agent_core.session import Session
from beyond_agent_core.testing import ScriptedTransport, assert_fit, assert_grammar, calls, says
from beyond_agent_core.tools import ToolOutput, tool
from beyond_wire.types import ImageSource, Message, ModelRequest, ToolResultBlock

if TYPE_CHECKING:
    from beyond_agent_core.run import RunResult

ran: list[str] = []


@tool
def read(path: str, lines: int = 1) -> ToolOutput:
    """Read a file."""
    ran.append(path)
    return ToolOutput(text=f"{lines} of {path}", terminate=False, details={"lines": lines})


def play(
    hooks: Hooks, *, control: Control | None = None
) -> tuple[RunResult, list[AgentEvent], list[ToolResultBlock], ScriptedTransport]:
    ran.clear()
    session, events = Session(), list[AgentEvent]()
    model = ScriptedTransport([calls(("read", {"path": "a", "lines": "2"})), says("done")])
    agent = Agent(model, model="m", tools=[read], hooks=hooks)
    result = asyncio.run(asyncio.wait_for(agent.run(session, "go", on_event=events.append, control=control), 10))
    assert_grammar(events)
    assert_fit(session)
    blocks = [block for message in session.messages for block in message.content if isinstance(block, ToolResultBlock)]
    return result, events, blocks, model


def test_a_gate_sees_what_the_tool_will_get_and_may_block_it() -> None:
    """Mended arguments; its reason is the result, and the tool does not run."""
    seen: list[tuple[str, dict[str, Any], int]] = []

    async def gate(name: str, given: dict[str, Any], session: Session) -> str | None:
        seen.append((name, given, len(session.messages)))
        return "not on a Monday"

    result, _, blocks, _ = play(Hooks(before_tool_call=gate))
    assert result.outcome == "done"
    assert seen == [("read", {"path": "a", "lines": 2}, 2)]
    assert [(block.content, block.is_error) for block in blocks] == [("tool call blocked: not on a Monday", True)]
    assert not ran


def test_a_gate_that_fails_is_shut() -> None:
    """What cannot be judged does not run."""

    def gate(_name: str, _given: dict[str, Any], _session: Session) -> str | None:
        raise KeyError("policy")

    _, _, blocks, _ = play(Hooks(before_tool_call=gate))
    assert blocks[0].content == "tool call blocked: before_tool_call failed: KeyError: 'policy'"
    assert not ran


def test_a_gate_whose_own_wait_is_cancelled_is_shut() -> None:
    """The run is not cancelled by it: the call is blocked, and the model is asked again."""

    async def gate(_name: str, _given: dict[str, Any], _session: Session) -> str | None:
        answer = asyncio.get_running_loop().create_future()
        answer.cancel()
        return await answer

    result, _, blocks, _ = play(Hooks(before_tool_call=gate))
    assert result.outcome == "done"
    assert (
        blocks[0].content
        == "tool call blocked: before_tool_call failed: RuntimeError: what it waited for was cancelled"
    )
    assert not ran


def test_a_result_may_be_replaced() -> None:
    """Its text, error mark and images; details and the wish to end stay the tool's."""
    image = ImageSource(media_type="image/png", data="AA==")

    def after(name: str, given: dict[str, Any], output: ToolOutput) -> ToolOutput:
        return ToolOutput(text=f"{name} {given['lines']} {output.text}", is_error=True, images=(image,), terminate=True)

    result, events, blocks, _ = play(Hooks(after_tool_call=after))
    assert (blocks[0].content, blocks[0].is_error, blocks[0].images) == ("read 2 2 of a", True, (image,))
    assert (result.steps, result.text) == (2, "done")
    assert [getattr(event, "details", None) for event in events if hasattr(event, "is_error")] == [{"lines": 2}]


def test_a_request_may_be_replaced() -> None:
    """What is sent is what the hook gave."""

    async def before(request: ModelRequest) -> ModelRequest:
        return replace(request, user_id="u1")

    _, _, _, model = play(Hooks(before_provider_request=before))
    assert [request.user_id for request in model.requests] == ["u1", "u1"]


def test_answers_are_seen_and_a_stop_may_be_asked_for() -> None:
    """Each answer once, when it is complete; a stop comes before the next request."""
    seen: list[Message] = []

    async def stop(session: Session) -> bool:
        return session.steps == 1

    result, _, _, model = play(Hooks(on_assistant_message=seen.append, should_stop_after_turn=stop))
    assert (result.outcome, len(model.requests), [message.role for message in seen]) == ("done", 1, ["assistant"])


def test_a_summary_is_no_answer_that_is_seen() -> None:
    """It is the compaction's own, with a system text of its own; the hook that sees requests sees that one too."""
    seen, asked = list[Message](), list[ModelRequest]()
    hooks = Hooks(on_assistant_message=seen.append, before_provider_request=asked.append)
    model, small = ScriptedTransport([says("a summary")]), CompactionSettings(keep_recent=10)
    agent = Agent(model, model="m", system=lambda: "the agent's", hooks=hooks, compaction=small)
    session = Session()
    for number in range(6):
        session.user(f"question {number} " + "x" * 400)
        session.push(says(f"answer {number} " + "y" * 400).message)
    assert isinstance(asyncio.run(agent.compact(session)), Compacted)
    assert (seen, [request.system for request in asked]) == ([], [SYSTEM])


def test_hooks_that_fail_do_not_disturb(caplog: pytest.LogCaptureFixture) -> None:
    """The run is as without them, and the log says which and why."""

    def fail(*_: object) -> Any:
        raise RuntimeError("broken hook")

    hooks = Hooks(
        after_tool_call=fail, on_assistant_message=fail, should_stop_after_turn=fail, before_provider_request=fail
    )
    result, _, blocks, _ = play(hooks)
    assert (result.outcome, result.text, blocks[0].content) == ("done", "done", "2 of a")
    logged = {record.getMessage() for record in caplog.records}
    assert logged == {
        f"hook {name} failed: RuntimeError: broken hook"
        for name in ("after_tool_call", "on_assistant_message", "should_stop_after_turn", "before_provider_request")
    }


def test_hooks_that_return_something_else_do_not_disturb(caplog: pytest.LogCaptureFixture) -> None:
    """What is neither None nor of the type is said and not used."""

    def odd(*_: object) -> Any:
        return "odd"

    result, _, blocks, _ = play(Hooks(after_tool_call=odd, before_provider_request=odd))
    assert (result.text, blocks[0].content) == ("done", "2 of a")
    assert {record.getMessage() for record in caplog.records} == {
        "hook after_tool_call returned str, not ToolOutput",
        "hook before_provider_request returned str, not ModelRequest",
    }


@pytest.mark.parametrize(
    "name",
    [
        "before_tool_call",
        "after_tool_call",
        "on_assistant_message",
        "should_stop_after_turn",
        "before_provider_request",
    ],
)
def test_a_hook_that_hangs_is_cancelled_with_the_run(name: str) -> None:
    """The run ends as cancelled, in order; an answer or a result that was complete stays."""
    control, ended = Control(), list[str]()

    async def hang(*_: object) -> Any:
        control.cancel()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(name)

    result, events, blocks, model = play(Hooks(**{name: hang}), control=control)
    assert (result.outcome, ended, len(model.requests)) == ("cancelled", [name], name != "before_provider_request")
    stops = [event.stop_reason for event in events if isinstance(event, TurnEnd)]
    assert stops == (["aborted"] if name == "before_provider_request" else ["tool_use"])
    if name in ("after_tool_call", "should_stop_after_turn"):
        assert blocks[0].content == "2 of a"
