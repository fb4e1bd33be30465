"""The agent of the README, as it stands there, against a gateway in dev mode."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = pytest.mark.e2e
README = Path(__file__).parents[2] / "README.md"


@contextmanager
def dev_mode(folder: Path) -> Generator[dict[str, str]]:
    """Give the variables that a gateway in dev mode prints, of one on a free port."""
    command = [sys.executable, "-m", "beyond_gateway", "dev", "--listen", "127.0.0.1:0", "--state-dir", str(folder)]
    told = folder / "told"
    with told.open("wb") as stderr, (folder / "rows").open("wb") as stdout:
        gateway = subprocess.Popen(command, stdout=stdout, stderr=stderr)
    try:
        wait_for(lambda: "AI_AGENT_KEY" in told.read_text(), "the variables")
        yield dict(re.findall(r"^export (AI_\w+)=(\S+)$", told.read_text(), re.MULTILINE))
    finally:
        gateway.terminate()
        assert gateway.wait(20) == 0


def test_the_agent_of_the_readme_runs(tmp_path: Path) -> None:
    """Under thirty lines with a tool: the tool runs, the answer comes, and the events of the next turn."""
    code = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]
    assert len(code.splitlines()) < 30
    program = tmp_path / "agent.py"
    program.write_text(code)
    with dev_mode(tmp_path) as variables:
        assert set(variables) == {"AI_GATEWAY_URL", "AI_AGENT_KEY"}
        run = [sys.executable, str(program)]
        environment = {**os.environ, **variables}
        done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    first, *events = done.stdout.splitlines()
    assert first == "The tool said: 1 day of fog in sample city"
    assert (events[0], "AgentEnd" in events[-1], "done" in events[-1]) == ("AgentStart()", True, True)
