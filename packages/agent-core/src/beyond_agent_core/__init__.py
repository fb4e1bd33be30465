"""A tool-calling loop that does no I/O of its own, and what drives it.

- `Session` is a conversation; `Agent` is a transport, tools and settings; `agent.run(session, prompt)` is a run.
- `loop` is the run as a generator of `effects`; `Run` is its state; the asyncio `Driver` performs what it asks.
- `Tool` is one seam: `@tool` makes one of a function, `ToolContext` is what a call knows, `ToolOutput` what it gives.
- `ModelTransport` is the other: a request in, the events of one answer out; `HttpTransport` is one, to a gateway.
- `Control` steers from outside: messages, cancel, another model; `Limits` are the budgets of a run.
- `AgentEvent`s are what watchers see; `encode_event` makes a line of JSON of one.

Everything of `beyond_wire` is here too, so that a harness imports one package. `beyond_agent_core.testing` is public.
"""

from typing import Any

import beyond_wire
from beyond_agent_core.agent import Agent
from beyond_agent_core.client import HttpTransport
from beyond_agent_core.control import Control, Queued
from beyond_agent_core.drive import Driver
from beyond_agent_core.errors import (
    AgentError,
    ConfigError,
    ExecutionFailed,
    InvalidInput,
    QueueFull,
    RunFault,
    SessionBusy,
    SessionInvalid,
)
from beyond_agent_core.events import AgentEvent, encode_event
from beyond_agent_core.limits import Limits, Prices
from beyond_agent_core.loop import loop
from beyond_agent_core.run import Run, RunResult, Settings
from beyond_agent_core.session import Session
from beyond_agent_core.tools import Tool, ToolContext, ToolOutput, ToolRegistry, tool
from beyond_agent_core.transport import ModelTransport, TransportFailed

__all__ = [
    "Agent",
    "AgentError",
    "AgentEvent",
    "ConfigError",
    "Control",
    "Driver",
    "ExecutionFailed",
    "HttpTransport",
    "InvalidInput",
    "Limits",
    "ModelTransport",
    "Prices",
    "QueueFull",
    "Queued",
    "Run",
    "RunFault",
    "RunResult",
    "Session",
    "SessionBusy",
    "SessionInvalid",
    "Settings",
    "Tool",
    "ToolContext",
    "ToolOutput",
    "ToolRegistry",
    "TransportFailed",
    "encode_event",
    "loop",
    "tool",
]


def __getattr__(name: str) -> Any:
    """Give what is `beyond_wire`'s."""
    return getattr(beyond_wire, name)
