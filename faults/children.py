"""Child processes of the harness: started in a group of their own, waited for with a deadline, never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from typing import IO, TYPE_CHECKING

from faults.clock import WrongError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def environment() -> dict[str, str]:
    """Return our environment without settings of the gateway; warnings in a child are errors."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AI_")}
    return {**kept, "PYTHONWARNINGS": "error", "PYTHONDEVMODE": "", "PYTHONASYNCIODEBUG": ""}


class Child:
    """One process with its group."""

    def __init__(self, command: Sequence[str], *, stdout: IO[bytes] | int, stderr: IO[bytes] | int, cwd: Path) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=environment(),
            cwd=cwd,
            start_new_session=True,
        )
        self.pid = self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, None while it runs, negative after a signal."""
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Send a signal to the process, its descendants not included."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def ended(self, seconds: float) -> int:
        """Return the exit status. Raises WrongError where it still runs after `seconds`."""
        deadline = time.monotonic() + seconds
        while self.status is None:
            if time.monotonic() > deadline:
                raise WrongError(f"the process still ran {seconds:g} s later")
            await asyncio.sleep(0.01)
        return self._process.returncode

    async def stop(self, seconds: float = 8.0) -> None:
        """End it with SIGTERM, then its whole group with SIGKILL."""
        self.signal(signal.SIGTERM)
        with contextlib.suppress(WrongError):
            await self.ended(seconds)
        self.kill()

    def kill(self) -> None:
        """End the whole group at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
