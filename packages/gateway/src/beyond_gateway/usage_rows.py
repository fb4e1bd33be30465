"""Usage rows on their way to stdout: queued, written in whole lines, never lost and never waited for.

Problem: stdout is a pipe, and whoever reads it may stall; a blocking write would stop every stream of the worker, a
dropped row is money. The naive answer, a writer thread, costs a wake-up and a fight for the interpreter a row. Ours:
rows queue in memory and a timer flushes them a few milliseconds later; a pipe is asked first whether it takes
PIPE_BUF bytes (POSIX: then a write of that size neither blocks nor interleaves with other writers' lines), a regular
file takes all at once. What cannot be written stays queued and is tried again; past a bound the gateway refuses new
managed requests instead of losing a row. What we leave out: rows in this memory die with a SIGKILL.
"""

from __future__ import annotations

import os
import select
import stat
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

PIPE_BUF: Final = 4096
"""Bytes that one write to a pipe moves whole (PIPE_BUF on Linux, pipe(7))."""
FLUSH_S: Final = 0.005
"""Rows of this many seconds share a write: at 10,000 requests a second that is one system call for fifty rows."""
RETRY_S: Final = 0.05
"""Pause before a stalled or failed write is tried again."""
MAX_QUEUED: Final = 100_000
"""Rows held while stdout stalls, about 50 MB; at the bound new managed requests get 503."""


class LineWriter:
    """Writes lines to a file descriptor from the event loop without ever blocking it.

    `dropping` is for diagnostics: past the bound lines are counted in `dropped` and let go; rows are never let go.
    """

    def __init__(
        self, fd: int, loop: asyncio.AbstractEventLoop, *, limit: int = MAX_QUEUED, dropping: bool = False
    ) -> None:
        self._fd = fd
        self._loop = loop
        self._limit = limit
        self._dropping = dropping
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._timer: asyncio.TimerHandle | None = None
        self._poll: select.poll | None = None
        self.dropped = 0
        self.written = 0
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            self._poll = select.poll()
            self._poll.register(fd, select.POLLOUT)

    @property
    def full(self) -> bool:
        """Whether as many lines wait as may wait."""
        return len(self._lines) >= self._limit

    @property
    def pending(self) -> int:
        """Lines not yet handed to the operating system whole."""
        return len(self._lines) + bool(self._rest)

    def put(self, line: bytes) -> None:
        """Queue `line`, which ends with LF; returns at once."""
        if self._dropping and self.full:
            self.dropped += 1
            return
        self._lines.append(line)
        if self._timer is None:
            self._timer = self._loop.call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._timer = None
        if not self.flush_now():
            self._timer = self._loop.call_later(RETRY_S, self._flush)

    def flush_now(self) -> bool:
        """Write what the descriptor takes without blocking; return whether nothing is left."""
        while self._rest or self._lines:
            if self._poll is not None and not self._writable(self._poll):
                return False
            block = self._rest or self._next_block()
            try:
                sent = os.write(self._fd, block)
            except OSError:
                self._rest = block
                return False
            self._rest = block[sent:]
        return True

    def _writable(self, poll: select.poll) -> bool:
        # A reader that is gone shows as POLLERR: the rows stay, in case the descriptor is served again.
        return any(events & select.POLLOUT and not events & select.POLLERR for _, events in poll.poll(0))

    def _next_block(self) -> bytes:
        """Take whole lines off the queue: all for a file, at most PIPE_BUF bytes (one line at least) for a pipe."""
        lines = self._lines
        if self._poll is None:
            block = b"".join(lines)
            self.written += len(lines)
            lines.clear()
            return block
        taken = [lines.popleft()]
        size = len(taken[0])
        while lines and size + len(lines[0]) <= PIPE_BUF:
            size += len(lines[0])
            taken.append(lines.popleft())
        self.written += len(taken)
        return b"".join(taken)

    def close(self) -> int:
        """Write what can be written now; return how many lines could not be."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.flush_now()
        return self.pending

    def __repr__(self) -> str:
        return f"<LineWriter fd={self._fd} pending={self.pending} written={self.written} dropped={self.dropped}>"
