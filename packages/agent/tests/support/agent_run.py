"""A user with a home, a project and a model: starts the agent as a shell would, and sees what a shell sees."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEY = "bai_v1.c2VjcmV0.dGVzdA"


class Done(msgspec.Struct, frozen=True):
    """How a process ended and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """Stdout as lines of JSON."""
        return [msgspec.json.decode(line) for line in self.out.splitlines()]

    @property
    def kinds(self) -> list[str]:
        """The kinds of the lines of stdout."""
        return [line.get("kind", "payload") for line in self.lines]


class User:
    """`home` holds settings and sessions, `cwd` is the project; `env` is what the shell has exported."""

    def __init__(self, folder: Path, url: str = "http://127.0.0.1:9") -> None:
        self.home = folder / "home"
        self.cwd = folder / "project"
        self.home.mkdir(exist_ok=True)
        self.cwd.mkdir(exist_ok=True)
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("AI_", "XDG_"))}
        self.env = {**keep, "HOME": str(self.home), "AI_GATEWAY_URL": url, "AI_AGENT_KEY": KEY, "TERM": "dumb"}

    def argv(self, *words: str) -> list[str]:
        """The command line of the agent."""
        return [sys.executable, "-m", "beyond_agent", *words]

    def do(self, *words: str, stdin: bytes | int = subprocess.DEVNULL, timeout: float = 60, **env: str) -> Done:
        """Run a command to its end."""
        made = subprocess.run(
            self.argv(*words),
            cwd=self.cwd,
            env=self.env | env,
            capture_output=True,
            timeout=timeout,
            check=False,
            input=stdin if isinstance(stdin, bytes) else None,
            stdin=None if isinstance(stdin, bytes) else stdin,
        )
        return Done(made.returncode, made.stdout.decode(), made.stderr.decode())

    def run(self, *words: str, **more: Any) -> Done:
        """Do one job."""
        return self.do("run", *words, **more)

    def start(self, *words: str, **env: str) -> subprocess.Popen[bytes]:
        """Start a command whose streams are pipes."""
        return subprocess.Popen(
            self.argv(*words),
            cwd=self.cwd,
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def session_files(self) -> Sequence[Path]:
        """The sessions on disk, oldest first."""
        return sorted(self.home.glob(".local/state/beyond-ai/sessions/*/*.jsonl"))
