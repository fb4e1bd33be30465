"""A program as a child of this process: started, watched to its end, and ended with all that it started.

asyncio's own subprocesses are not used: they wait for the end of file of every pipe, which a program left in the
background holds open, and a call would hang on it. Here the end of the child and the ends of its pipes are separate
facts. On Linux the first is a descriptor that becomes readable; elsewhere a thread waits for it.

Where it is a descriptor, the child is left unreaped until its group has had TERM: so long the number of the group can
be nobody else's.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from beyond_agent.seams import Command

KEYS: Final = ("AI_AGENT_KEY", "AI_API_KEY")
"""Variables that no child gets (agent contract, model routing)."""
UNKNOWN: Final = 255
"""Exit code of a child whose status somebody else has taken; the standard library says the same."""


class Child:
    """One running program, which leads a session and a group of its own; `ended` is done when it has ended.

    Raises OSError where it cannot be started. `pipes` are the reading ends of stdout and, unless merged, stderr; they
    do not block, and closing them is the caller's.
    """

    def __init__(self, command: Command) -> None:
        self.pid, self.pipes = _started(command)
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._descriptor: int | None = None
        self._status: int | None = None
        self._told = False
        self._watch()

    def __repr__(self) -> str:
        return f"<Child {self.pid} {'running' if not self.ended.done() else 'ended'}>"

    def terminate(self) -> None:
        """Send TERM to the whole group, once: many a program takes a second one as leave to end at once."""
        if not self._told:
            self._told = True
            _signal(self.pid, signal.SIGTERM)

    def reap(self) -> int | None:
        """Return the exit code, a signal as negative number; None while it runs, when a thread waits for its end.

        A thread, because the event loop may end before a child that ignores TERM does.
        """
        if self.ended.done():
            return self._reaped()
        if self._descriptor is not None:
            self._unwatch(self._descriptor)
            self._in_thread(self._reaped)
        return None

    def survives(self) -> bool:
        """Whether anything of the group is left; to be asked when the child is reaped or still runs."""
        return _signal(self.pid, 0)

    def _watch(self) -> None:
        try:
            self._descriptor = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            # Not Linux, or a sandbox that does not know the call.
            self._in_thread(self._wait)
        else:
            self._loop.add_reader(self._descriptor, self._readable, self._descriptor)

    def _readable(self, descriptor: int) -> None:
        self._unwatch(descriptor)
        self._end()

    def _unwatch(self, descriptor: int) -> None:
        self._descriptor = None
        self._loop.remove_reader(descriptor)
        os.close(descriptor)

    def _wait(self) -> None:
        self._reaped()
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _in_thread(self, wait: Callable[[], object]) -> None:
        import threading  # noqa: PLC0415 - few calls need one

        threading.Thread(target=wait, name=f"wait for {self.pid}", daemon=True).start()

    def _reaped(self) -> int:
        if self._status is None:
            try:
                self._status = os.waitpid(self.pid, 0)[1]
            except ChildProcessError:
                # Where SIGCHLD is ignored, as some parents leave it, the kernel keeps no status. A failure is assumed.
                self._status = UNKNOWN << 8
        return os.waitstatus_to_exitcode(self._status)


def environment(given: Mapping[str, str] | None) -> dict[str, str]:
    """Return the variables that a child gets: those given, or else the agent's own, in both cases without its keys."""
    return {name: value for name, value in (os.environ if given is None else given).items() if name not in KEYS}


def _started(command: Command) -> tuple[int, tuple[int, ...]]:
    ends: list[tuple[int, int]] = []
    try:
        for _ in range(1 if command.merge else 2):
            ends.append(os.pipe())
            os.set_blocking(ends[-1][0], False)
        process = subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=ends[0][1],
            stderr=ends[-1][1],
            cwd=command.cwd,
            env=environment(command.env),
            start_new_session=True,
        )
    except BaseException:
        for reading, _ in ends:
            os.close(reading)
        raise
    finally:
        for _, writing in ends:
            os.close(writing)
    # Whoever reaps it is decided here, and Popen would warn of a child that it has not seen end.
    process.returncode = 0
    return process.pid, tuple(reading for reading, _ in ends)


def _signal(group: int, number: int) -> bool:
    """Send a signal to a group; return whether there is one."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        # macOS says the second of a group of which only zombies are left.
        return False
    return True
