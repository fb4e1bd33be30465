"""Runs programs on this machine: the CommandRunner of a local workplace.

A program is a session and a process group of its own. A call ends when the program does, not when its pipe does: what
the program has left in the background may hold the pipe open for ever. So the end of file is a hint that all is read;
where it does not come within 100 ms, what is in the pipe is read and the rest is nobody's. Then, on every way out, the
group gets TERM, and two seconds later KILL, which is left to the watchdog so that the result need not wait.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from beyond_agent.machine.child import Child
from beyond_agent.machine.pipe import Pipe
from beyond_agent.machine.watchdog import Watchdog
from beyond_agent.seams import Finished

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_agent.seams import Command

DRAIN_S: Final = 0.1
"""Seconds for which output is read behind the end of a program (agent contract, bash)."""
STDERR_BYTES: Final = 65_536
"""Bytes of stderr that are kept where it is not merged (seams)."""


class LocalRunner:
    """Starts programs of this machine. One serves a whole process, with one watchdog, from one event loop at a time."""

    def __init__(self) -> None:
        self._watchdog = Watchdog()

    def __repr__(self) -> str:
        return f"<LocalRunner {self._watchdog!r}>"

    async def run(self, command: Command, output: Callable[[bytes], object]) -> Finished:
        """Run a program to its end and give its stdout to `output` in pieces as it comes.

        A cancelled call ends the program and raises CancelledError after the last piece. `output` may return an
        awaitable, which is waited for before more is read; what it raises ends the program and is raised here. Raises
        OSError where the program cannot be started.
        """
        self._watchdog.ready()
        child = Child(command)
        stderr = _Head(STDERR_BYTES)
        pipes = [Pipe(descriptor, take) for descriptor, take in zip(child.pipes, (output, stderr.take), strict=False)]
        try:
            self._watchdog.begun(child.pid)
            ends = (child.ended, *(pipe.failed for pipe in pipes))
            done, _ = await asyncio.wait(ends, timeout=command.timeout, return_when=asyncio.FIRST_COMPLETED)
            if child.ended not in done:
                child.terminate()
            await _drain(pipes)
        except asyncio.CancelledError:
            child.terminate()
            await _drain(pipes)
            raise
        finally:
            for pipe in pipes:
                pipe.close()
            code = self._end(child)
        return _finished(code, timed_out=not done, stderr=bytes(stderr.kept))

    def close(self) -> None:
        """End the watchdog, and what it still has to end; the next call starts another."""
        self._watchdog.close()

    def _end(self, child: Child) -> int | None:
        """End what is left of a group; return how its leader ended, None where that is still to come."""
        child.terminate()
        code = child.reap()
        self._watchdog.over(child.pid, kill=child.survives())
        return code


class _Head:
    """Keeps the first bytes of what it takes."""

    def __init__(self, most_bytes: int) -> None:
        self.kept = bytearray()
        self._most_bytes = most_bytes

    def take(self, piece: bytes) -> None:
        self.kept += piece[: self._most_bytes - len(self.kept)]


async def _drain(pipes: list[Pipe]) -> None:
    """Read what the pipes hold; wait for more until their ends, for 100 ms at most. Raises what output has raised."""
    await asyncio.wait([pipe.ended for pipe in pipes], timeout=DRAIN_S)
    for pipe in pipes:
        await pipe.finish()


def _finished(code: int | None, *, timed_out: bool, stderr: bytes) -> Finished:
    if timed_out or code is None:
        return Finished(timed_out=timed_out, stderr=stderr)
    if code < 0:
        return Finished(signal=-code, stderr=stderr)
    return Finished(code=code, stderr=stderr)
