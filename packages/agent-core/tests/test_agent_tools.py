"""An agent's tools, with the real loop, the real driver and a scripted model."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from core_play import play, read, results

from beyond_agent_core.agent import Agent
from beyond_agent_core.control import Control
from beyond_agent_core.dispatch import AT_ONCE
from beyond_agent_core.dispatch_locks import WriteLocks
from beyond_agent_core.errors import ExecutionFailed, InvalidInput
from beyond_agent_core.events import ToolEnd, ToolProgress
from beyond_agent_core.session import Session
from beyond_agent_core.testing import ScriptedTransport, calls, says
from beyond_agent_core.tools import ToolContext, ToolOutput, tool


def test_calls_run_together_and_results_keep_their_order() -> None:
    """Two calls that wait for each other finish; the transcript is in call order, the ends in order of finishing."""
    meet = threading.Barrier(2, timeout=10)

    @tool
    def first(x: int) -> str:
        """Be slow."""
        meet.wait()
        time.sleep(0.05)
        return f"first {x}"

    @tool
    def second(x: int) -> str:
        """Be quick."""
        meet.wait()
        return f"second {x}"

    _, events, session, _ = play([calls(("first", {"x": 1}), ("second", {"x": 2})), says("ok")], first, second)
    assert results(session) == [("first 1", False), ("second 2", False)]
    assert [event.name for event in events if isinstance(event, ToolEnd)] == ["second", "first"]


def test_at_most_eight_run_at_a_time_and_exclusive_ones_alone() -> None:
    """The ninth waits; one exclusive call makes the whole turn serial."""
    for exclusive, most in ((False, AT_ONCE), (True, 1)):
        running, seen = 0, 0

        async def work(n: int) -> str:
            nonlocal running, seen
            running += 1
            seen = max(seen, running)
            await asyncio.sleep(0.01)
            running -= 1
            return str(n)

        made = tool(work)
        made.exclusive = exclusive
        play([calls(*[("work", {"n": n}) for n in range(9)]), says("ok")], made)
        assert seen == most


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (InvalidInput("path is outside"), "invalid tool input: path is outside"),
        (ExecutionFailed("exit 1"), "tool execution failed: exit 1"),
        (OSError(2, "No such file"), "[Errno 2] No such file"),
        (KeyError("x"), "tool execution failed: KeyError: 'x'"),
    ],
)
def test_whatever_a_tool_raises_is_its_result(fault: Exception, text: str) -> None:
    """The model is told, and the run goes on."""

    @tool
    def fails() -> str:
        """Fail."""
        raise fault

    result, _, session, _ = play([calls(("fails", {})), says("I see")], fails)
    assert result.outcome == "done"
    assert results(session) == [(text, True)]


def test_a_call_that_cannot_be_made_is_told_so() -> None:
    """An unknown tool, and a tool that returns what is no output."""

    @tool
    def odd() -> int:  # what the seam does not allow
        """Return a number."""
        return 3

    _, _, session, _ = play([calls(("nope", {}), ("odd", {})), says("ok")], odd)
    assert results(session) == [
        ("unknown tool: nope", True),
        ("tool execution failed: TypeError: odd returned int, not text or ToolOutput", True),
    ]


def test_progress_comes_before_the_end_and_not_after_it() -> None:
    """Snapshots told from a thread are events in order; a late one is dropped."""
    contexts: list[ToolContext] = []

    @tool
    def slow(context: ToolContext) -> str:
        """Tell how far it is."""
        contexts.append(context)
        context.progress("half", {"done": 1})
        return "all"

    @tool
    async def later() -> str:
        """Speak for another call that is over."""
        contexts[0].progress("too late", None)
        await asyncio.sleep(0.01)
        return "ok"

    script = [calls(("slow", {})), calls(("later", {})), says("ok")]
    _, events, _, _ = play(script, slow, later)
    told = [event for event in events if isinstance(event, ToolProgress | ToolEnd)]
    assert [type(event) for event in told] == [ToolProgress, ToolEnd, ToolEnd]
    assert isinstance(told[0], ToolProgress)
    assert (told[0].snapshot, told[0].details) == ("half", {"done": 1})


def test_a_tool_that_prints_much_tells_little() -> None:
    """Nine thousand updates in a moment: the first and the last, each within its bound, the last one's end whole."""

    @tool
    def loud(context: ToolContext) -> str:
        """Print 3 MB."""
        said = ""
        for number in range(9000):
            said = said[-20_000:] + f"line {number} " + "x" * 330 + "\n"
            context.progress(said, None)
        return "x" * 600_000

    _, events, session, _ = play([calls(("loud", {})), says("ok")], loud)
    told = [event for event in events if isinstance(event, ToolProgress)]
    assert 2 <= len(told) <= 30
    assert all(len(event.snapshot.encode()) <= 16_384 for event in told)
    assert "line 8999 " in told[-1].snapshot
    assert told[-1].details is not None
    assert told[-1].details["omitted_bytes"] > 0
    text, _ = results(session)[0]
    assert len(text) <= 262_144
    assert "bytes left out" in text


def test_every_call_must_ask_for_the_end() -> None:
    """A tool that terminates ends the run where no other call of the round goes on."""

    @tool
    def bye() -> ToolOutput:
        """End it."""
        return ToolOutput(text="bye", terminate=True)

    result, _, _, model = play([calls(("bye", {})), says("never")], bye)
    assert (result.outcome, len(model.requests)) == ("done", 1)


def test_a_tool_that_was_taken_away_is_unknown() -> None:
    """From the turn on in which the model no longer has it."""
    control = Control()

    @tool
    def drop() -> str:
        """Take read away."""
        control.set_tools(["drop"])
        return "dropped"

    script = [calls(("drop", {}), ("read", {"path": "a"})), calls(("read", {"path": "b"})), says("x")]
    _, _, session, _ = play(script, read, drop, control=control)
    assert results(session) == [("dropped", False), ("content of a", False), ("unknown tool: read", True)]


def test_a_tool_knows_what_the_model_sees() -> None:
    """Also after a switch of models."""
    control, seen = Control(), list[bool]()

    @tool
    def look(context: ToolContext) -> str:
        """Look."""
        seen.append(context.vision)
        control.switch_model("unknown-model")
        return "looked"

    play([calls(("look", {})), calls(("look", {})), says("x")], look, control=control)
    assert seen == [True, False]


def test_two_agents_that_share_their_locks_lose_no_edit() -> None:
    """Both edit one path in one process, each in threads of its own."""
    numbers, locks = {"a": 0}, WriteLocks()

    def add(path: str) -> str:
        """Add one, slowly."""
        before = numbers[path]
        time.sleep(0.002)
        numbers[path] = before + 1
        return "ok"

    adding = tool(write_target=lambda given: str(given["path"]))(add)

    async def scenario() -> None:
        agents = [
            Agent(
                ScriptedTransport([calls(*[("add", {"path": "a"})] * 5), says("x")]),
                model="m",
                tools=[adding],
                write_locks=locks,
            )
            for _ in range(4)
        ]
        await asyncio.gather(*(agent.run(Session(), "go") for agent in agents))

    asyncio.run(scenario())
    assert numbers == {"a": 20}
