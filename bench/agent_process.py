"""Our agent as a process of the bench: its home, its environment, its command line, its bytecode.

An installed package has its bytecode beside it. A checkout may forbid that by PYTHONDONTWRITEBYTECODE, and each start
would then compile every module again; here bytecode is written to the run's own folder, by a run that is not counted.
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.setting import PYTHON

if TYPE_CHECKING:
    from pathlib import Path

    from bench.setting import Setting

KEY = "bench-key"


@dataclass(frozen=True, slots=True)
class Place:
    """A user's home with a project in it."""

    home: Path
    cwd: Path

    def environment(self, **more: str) -> dict[str, str]:
        """No variable of the user who runs the bench but the path."""
        return {"PATH": os.environ.get("PATH", ""), "HOME": str(self.home), "TERM": "dumb", "LANG": "C.UTF-8", **more}


@dataclass(frozen=True, slots=True)
class Took:
    """Wall and CPU time (user and system, children that it awaited included) of a process, in seconds."""

    wall_s: float
    cpu_s: float


def place(setting: Setting, name: str) -> Place:
    """A new home and project for one program."""
    made = Place(setting.tmp / name / "home", setting.tmp / name / "project")
    made.home.mkdir(parents=True, exist_ok=True)
    made.cwd.mkdir(exist_ok=True)
    (made.cwd / "AGENTS.md").write_text("Tests are run with `make test`.\n", encoding="utf-8")
    (made.cwd / "app.py").write_text("def add(a, b):\n    return a - b\n", encoding="utf-8")
    return made


def environment(setting: Setting, where: Place, port: int) -> dict[str, str]:
    """What a shell would export to our agent, whose gateway is at `port`."""
    return where.environment(
        AI_GATEWAY_URL=f"http://127.0.0.1:{port}",
        AI_AGENT_KEY=KEY,
        AI_AGENT_MODEL="claude-opus-4-8",
        PYTHONPYCACHEPREFIX=str(setting.tmp / "bytecode"),
    )


def command(*words: str) -> list[str]:
    """The command line of our agent."""
    return [PYTHON, "-m", "beyond_agent", *words]


def timed(words: list[str], where: Place, env: dict[str, str]) -> Took:
    """Run a program to its end and say what it took. Raises CalledProcessError."""
    began = time.monotonic()
    process = subprocess.Popen(
        words, cwd=where.cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    took = Took(time.monotonic() - began, used.ru_utime + used.ru_stime)
    # The process is reaped already: Popen must not wait for it once more.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return took
