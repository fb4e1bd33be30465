"""The public surface is pinned, documented, and has all of the wire package's."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

import beyond_agent_core
import beyond_wire

NAMES = """
Agent AgentError AgentEvent ConfigError Control Driver ExecutionFailed HttpTransport InvalidInput Limits ModelTransport
Prices QueueFull Queued Run RunFault RunResult Session SessionBusy SessionInvalid Settings Tool ToolContext
ToolOutput ToolRegistry TransportFailed encode_event loop tool
"""


def test_public_names() -> None:
    """Exactly these, each with a docstring but for the union of events."""
    assert beyond_agent_core.__all__ == NAMES.split()
    for name in beyond_agent_core.__all__:
        value = getattr(beyond_agent_core, name)
        assert name == "AgentEvent" or (value.__doc__ or "").strip(), name


def test_the_wire_package_is_here_too() -> None:
    """A harness imports one package; a name that is nobody's is an AttributeError."""
    assert all(getattr(beyond_agent_core, name) is getattr(beyond_wire, name) for name in beyond_wire.__all__)
    with pytest.raises(AttributeError):
        _ = getattr(beyond_agent_core, "no" + "body")


def test_the_example_of_the_readme_runs() -> None:
    """As it stands there."""
    text = (Path(__file__).parents[1] / "README.md").read_text()
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    code = found[1].replace("on_event=print", "on_event=list().append")
    exec(compile(code, "README.md", "exec"), {"asyncio": asyncio})  # noqa: S102 - our own example
