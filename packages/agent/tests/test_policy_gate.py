from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agent_project import named

from beyond_agent.options import Options
from beyond_agent.policy.gate import NO_ANSWER, Gate, approver_for
from beyond_agent.policy.tty import Reply
from beyond_agent_core.agent import Agent
from beyond_agent_core.hooks import Hooks
from beyond_agent_core.session import Session
from beyond_agent_core.testing import ScriptedTransport, calls, says
from beyond_wire.types import ToolResultBlock


class Asked:
    """Whoever is asked: gives the answers in turn, keeps the questions; an exception is raised."""

    def __init__(self, *answers: Reply | Exception) -> None:
        self.questions: list[tuple[str, str, str]] = []
        self._answers = iter(answers)

    async def __call__(self, tool: str, summary: str, scope_key: str) -> Reply:
        self.questions.append((tool, summary, scope_key))
        await asyncio.sleep(0)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def gate(asked: Asked, **settings: Any) -> Gate:
    """Return a gate before bash and read."""
    rules = approver_for(Options(**settings), named("bash", "read"), home="/h", cwd="/w", canonical=str)
    return Gate(rules, asked)


def results(asked: Asked, *commands: str, **settings: Any) -> list[str]:
    """Return what the model is told when it runs these commands, one a turn, through the real loop."""
    script = [*(calls(("bash", {"command": each})) for each in commands), says("done")]
    hooks = Hooks(before_tool_call=gate(asked, **settings))
    agent = Agent(ScriptedTransport(script), model="claude-opus-4-8", tools=named("bash"), hooks=hooks)
    session = Session()
    asyncio.run(agent.run(session, "go"))
    blocks = (block for message in session.messages for block in message.content)
    return [block.content for block in blocks if isinstance(block, ToolResultBlock)]


def test_a_yes_lets_one_call_run_and_the_next_is_asked_about() -> None:
    """`once` is once."""
    asked = Asked(Reply("allow", "once"), Reply("deny", reason="not again"))
    assert results(asked, "make", "make", approve="all") == ["done", "tool call blocked: not again"]
    assert asked.questions == [("bash", "bash: make", "cmd:make")] * 2


def test_a_yes_for_the_session_is_remembered_by_key() -> None:
    """The same command is not asked about again, another one is."""
    asked = Asked(Reply("allow", "session"), Reply("deny", reason="no"))
    assert results(asked, "make", "make", "make x", approve="all") == ["done", "done", "tool call blocked: no"]
    assert [key for _, _, key in asked.questions] == ["cmd:make", "cmd:make x"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Reply("deny"), NO_ANSWER),
        (Reply("deny", "session"), NO_ANSWER),
        (Reply(""), NO_ANSWER),
        (Reply("Allow"), NO_ANSWER),
        (Reply("yes", "session", "odd"), "odd"),
        (RuntimeError("the line broke"), "before_tool_call failed: RuntimeError: the line broke"),
    ],
)
def test_whatever_is_not_a_yes_denies(answer: Reply | Exception, reason: str) -> None:
    """A malformed answer and an asker that fails deny, and the run goes on."""
    assert results(Asked(answer), "make", approve="all") == [f"tool call blocked: {reason}"]


def test_nobody_is_asked_about_what_is_denied_or_not_gated() -> None:
    """A denied call is no question, a reader under `writes` is none either."""
    asked = Asked()
    assert results(asked, "rm -rf x", approve="all", deny_bash_pattern=("rm -rf",)) == [
        "tool call blocked: the command contains 'rm -rf' (--deny-bash-pattern)"
    ]
    assert asyncio.run(gate(asked, approve="writes")("read", {"path": "a"}, None)) is None
    assert asked.questions == []
    assert repr(gate(asked)) == "<Gate <Approver approve=off remembered=0>>"


def test_a_cancelled_question_lets_nothing_run() -> None:
    """The cancel goes through, and nothing is remembered."""

    class Never:
        async def __call__(self, tool: str, summary: str, scope_key: str) -> Reply:
            del tool, summary, scope_key
            await asyncio.Event().wait()
            raise AssertionError

    waiting = Gate(approver_for(Options(approve="all"), named("bash"), home="/h", cwd="/w", canonical=str), Never())

    async def cancelled() -> None:
        async with asyncio.timeout(0):
            await waiting("bash", {"command": "x"}, None)

    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())
    assert waiting.approver.forget() == 0
