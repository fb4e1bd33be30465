"""A real terminal: tmux with one pane, in which the agent runs as a person would start it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux from Debian's packages")
PROMPT = "READY>"


class Terminal:
    """`columns` wide; `env` is the shell's. Use it in a `with` block."""

    def __init__(self, folder: Path, cwd: Path, env: dict[str, str], columns: int) -> None:
        self._socket = str(folder / "tmux")
        self._rc = folder / "bashrc"
        self._rc.write_text(f"PS1='{PROMPT}'\n")
        self._cwd = cwd
        self._env = {**env, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self._columns = columns

    def __enter__(self) -> Self:
        size = ("-x", str(self._columns), "-y", "40")
        self._tmux("-f", os.devnull, "new-session", "-d", *size, f"bash --noprofile --rcfile {self._rc}", cwd=self._cwd)
        self.until(lambda screen: PROMPT in screen)
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")

    def type(self, *words: str) -> None:
        """Type a command line and Enter."""
        self._tmux("send-keys", "-l", shlex.join(words))
        self._tmux("send-keys", "Enter")

    def press(self, key: str) -> None:
        """Press a key by tmux's name for it."""
        self._tmux("send-keys", key)

    def screen(self, *, styled: bool = False) -> str:
        """Return what stands in the pane, with its escape codes where that is asked for."""
        return self._tmux("capture-pane", "-p", *(["-e"] if styled else []))

    def has_cursor(self) -> bool:
        """Whether the cursor is shown."""
        return self._tmux("display-message", "-p", "#{cursor_flag}").strip() == "1"

    def until(self, fact: Callable[[str], object], seconds: float = 20) -> str:
        """Return the screen once `fact` holds of it."""
        end = time.monotonic() + seconds
        while not fact(screen := self.screen()):
            assert time.monotonic() < end, screen
            time.sleep(0.03)
        return screen

    def until_prompt(self) -> str:
        """Return the screen once the shell waits again behind a command."""
        return self.until(lambda screen: screen.rstrip().endswith(PROMPT) and screen.count(PROMPT) > 1)

    def _tmux(self, *words: str, cwd: Path | None = None) -> str:
        argv = ["tmux", "-S", self._socket, *words]
        return subprocess.run(argv, cwd=cwd, env=self._env, capture_output=True, check=True, timeout=10).stdout.decode()
