"""An agent that a scripted model drives to its end, with the real loop and the real driver."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from beyond_agent_core.agent import Agent
from beyond_agent_core.events import AgentEvent
from beyond_agent_core.session import Session
from beyond_agent_core.testing import Broken, ScriptedTransport, assert_fit, assert_grammar
from beyond_agent_core.tools import tool
from beyond_wire.types import ToolResultBlock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from beyond_agent_core.control import Control
    from beyond_agent_core.errors import RunFault
    from beyond_agent_core.run import RunResult
    from beyond_agent_core.tools import FunctionTool
    from beyond_wire.types import Turn


@tool
def read(path: str) -> str:
    """Read a file."""
    return f"content of {path}"


def play(
    script: Sequence[Turn | RunFault | Broken], *tools: FunctionTool, control: Control | None = None, **settings: Any
) -> tuple[RunResult, list[AgentEvent], Session, ScriptedTransport]:
    """Run a scripted model to the end; what holds of every run is looked at here."""
    model, session, events = ScriptedTransport(script), Session(), list[AgentEvent]()
    agent = Agent(model, model="claude-opus-4-8", tools=tools, chance=lambda: 0.0, **settings)
    result = asyncio.run(agent.run(session, "go", on_event=events.append, control=control))
    assert_grammar(events)
    assert_fit(session)
    return result, events, session, model


def results(session: Session) -> list[tuple[str, bool]]:
    """Text and error mark of every result in a session."""
    return [
        (block.content, block.is_error)
        for message in session.messages
        for block in message.content
        if isinstance(block, ToolResultBlock)
    ]
