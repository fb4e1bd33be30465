"""The public surface is pinned, documented, and has all of the wire package's."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

import beyond_agent_core
import beyond_wire
from beyond_agent_core import testing

NAMES = """
Agent AgentError AgentEvent Checker Compacted CompactionFailed CompactionSettings ConfigError ConnectionPool Control
Driver ExecutionFailed Hooks HttpTransport InvalidInput Limits ModelTransport Prices QueueFull Queued RetryPolicy Run
RunFailed RunFault RunResult Session SessionBusy SessionInvalid Settings Tool ToolBounds ToolContext ToolOutput
ToolRegistry TransportFailed Unchanged WriteLocks encode_event loop tool
"""


def test_public_names() -> None:
    """Exactly these beside the wire package's, each with a docstring but for the union of events; looked up once."""
    assert [name for name in beyond_agent_core.__all__ if name not in beyond_wire.__all__] == NAMES.split()
    for name in NAMES.split():
        value = getattr(beyond_agent_core, name)
        assert name == "AgentEvent" or (value.__doc__ or "").strip(), name
        assert vars(beyond_agent_core)[name] is value


TESTING = """
Broken BrokenStream FakeClock ModelServer Playbook Raw Recorded ScriptExhausted ScriptedTransport Status assert_fit
assert_grammar calls check_tool check_transport error_status record_run refuses says turn
"""


def test_names_of_the_testing_kit() -> None:
    """Exactly these, each with a docstring; a name that is nobody's is an AttributeError."""
    assert testing.__all__ == TESTING.split()
    assert all((getattr(testing, name).__doc__ or "").strip() for name in testing.__all__)
    assert set(testing.__all__) <= set(dir(testing))
    with pytest.raises(AttributeError):
        _ = getattr(testing, "no" + "body")


def test_the_loop_stays_the_function() -> None:
    """In whatever order names and modules are first asked for, `loop` is the loop and not the module of its name."""
    for first in ("beyond_agent_core.loop", "beyond_agent_core.agent", "beyond_agent_core"):
        script = f"import {first}; from beyond_agent_core import loop, Agent; print(loop.__name__, callable(loop))"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout == "loop True\n"


def test_modules_are_ours_where_the_wire_package_has_the_same_name() -> None:
    """Also where only theirs has been imported before."""
    script = (
        "import beyond_wire.testing.chunking\n"
        "from beyond_agent_core import events, testing; print(events.__name__, testing.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "beyond_agent_core.events beyond_agent_core.testing\n"


def test_an_import_brings_no_more_than_is_asked_for() -> None:
    """The package alone has no event loop; an agent has no HTTP client and no test kit."""
    script = (
        "import sys, beyond_agent_core as core; print(sorted({'asyncio', 'h11', 'ssl', 'random'} & set(sys.modules)));"
        "core.Agent; print([name for name in sys.modules if name.startswith('beyond_agent_core.client')]);"
        "print('beyond_agent_core.testing' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["[]", "[]", "False", ""]


def test_the_wire_package_is_here_too() -> None:
    """A harness imports one package; a name that is nobody's is an AttributeError."""
    assert all(getattr(beyond_agent_core, name) is getattr(beyond_wire, name) for name in beyond_wire.__all__)
    assert set(beyond_wire.__all__) <= set(beyond_agent_core.__all__) <= set(dir(beyond_agent_core))
    with pytest.raises(AttributeError):
        _ = getattr(beyond_agent_core, "no" + "body")


def test_the_test_of_the_readme_runs() -> None:
    """As it stands there."""
    text = (Path(__file__).parents[1] / "README.md").read_text()
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[1].replace("on_event=print", "on_event=list().append")
    assert "ScriptedTransport" in code
    exec(compile(code, "README.md", "exec"), {"asyncio": asyncio})  # noqa: S102 - our own example
