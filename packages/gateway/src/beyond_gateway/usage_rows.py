"""Usage rows on their way to stdout: queued, written in whole lines, never lost and never waited for.

Problem: stdout is a pipe, and whoever reads it may stall; a blocking write would stop every stream of the worker, a
dropped row is money. The naive answer, a writer thread, costs a wake-up and a fight for the interpreter a row. Ours:
rows queue in memory and a timer flushes them a few milliseconds later, a pipe in blocks of at most PIPE_BUF bytes,
which arrive whole or not at all however many workers write to it. A pipe is opened anew, so that it can be written to
without blocking and without making it so for others; anything else is asked first whether it takes a write. What cannot
be written stays queued and is tried again; past a bound the gateway refuses new managed requests instead of losing a
row. What we leave out: rows in this memory die with a SIGKILL.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

PIPE_BUF: Final = 4096
"""Bytes that one write to a pipe moves whole (PIPE_BUF on Linux, pipe(7))."""
FLUSH_S: Final = 0.005
"""Rows of this many seconds share a write: at 10,000 requests a second that is one system call for fifty rows."""
RETRY_S: Final = 0.05
"""Pause before a write is tried again that failed, or that would block where nothing tells when it will not."""
FILE_BLOCK: Final = 64 * 1024
"""Bytes of one write to a regular file: a full disk then leaves little in the air."""
MAX_QUEUED: Final = 100_000
"""Rows held while stdout stalls, about 50 MB; at the bound new managed requests get 503."""


class LineWriter:
    """Writes lines to a file descriptor from the event loop without ever blocking it.

    Without a `loop` a line is written at once or with the next one. `alone` is false where other processes write lines
    to the same file: after a write that a full disk cut short, the line is then begun again on a new line, because what
    follows the cut may be somebody else's. `on_written` is told how many lines the operating system has just taken.
    `dropping` is for diagnostics: past the bound lines are counted in `dropped` and let go; rows are never let go.
    """

    def __init__(
        self,
        fd: int,
        loop: asyncio.AbstractEventLoop | None,
        *,
        limit: int = MAX_QUEUED,
        dropping: bool = False,
        alone: bool = True,
    ) -> None:
        self._fd = fd
        self._loop = loop
        self._limit = limit
        self._dropping = dropping
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._alone = alone
        self.on_written: Callable[[int], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._poll: select.poll | None = None
        self._own_fd = False
        self._stalled = False
        self._watching = False
        self.dropped = 0
        self.written = 0
        mode = os.fstat(fd).st_mode
        self._block_bytes = FILE_BLOCK if stat.S_ISREG(mode) else PIPE_BUF
        if stat.S_ISFIFO(mode):
            self._open_anew()
        if not stat.S_ISREG(mode) and not self._own_fd:
            self._poll = select.poll()
            self._poll.register(fd, select.POLLOUT)

    def _open_anew(self) -> None:
        """Open the pipe once more: O_NONBLOCK belongs to the open file, which the parent and others share with us."""
        with contextlib.suppress(OSError):
            self._fd = os.open(f"/proc/self/fd/{self._fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._own_fd = True

    @property
    def full(self) -> bool:
        """Whether as many lines wait as may wait."""
        return len(self._lines) >= self._limit

    @property
    def pending(self) -> int:
        """Lines not yet handed to the operating system whole."""
        return len(self._lines) + self._rest.count(b"\n") - self._rest.startswith(b"\n")

    def put(self, line: bytes) -> None:
        """Queue `line`, which ends with LF; returns at once."""
        if self._dropping and self.full:
            self.dropped += 1
            return
        self._lines.append(line)
        if self._loop is None:
            self.flush_now()
        elif self._timer is None and not self._watching:
            self._timer = self._loop.call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._timer = None
        if self.flush_now() or self._loop is None:
            return
        if self._stalled:
            # By the clock a reader that is only slow would be served once a pause, and never catch up.
            self._watching = True
            self._loop.add_writer(self._fd, self._writable_again)
        else:
            self._timer = self._loop.call_later(RETRY_S, self._flush)

    def _writable_again(self) -> None:
        self._stop_watching()
        self._flush()

    def _stop_watching(self) -> None:
        if self._watching and self._loop is not None:
            self._loop.remove_writer(self._fd)
        self._watching = False

    def flush_now(self) -> bool:
        """Write what the descriptor takes without blocking; return whether nothing is left."""
        self._stalled = False
        while self._rest or self._lines:
            if self._poll is not None and not self._writable(self._poll):
                return False
            block = self._rest or self._next_block()
            try:
                sent = os.write(self._fd, block)
            except OSError as error:
                self._stalled = self._own_fd and isinstance(error, BlockingIOError)
                sent = 0
            self._count(block, sent)
            self._rest = block[sent:] if self._alone or block.endswith(b"\n", 0, sent) else _begun_again(block, sent)
            if not sent:
                return False
        return True

    def _count(self, block: bytes, sent: int) -> None:
        whole = block.count(b"\n", 0, sent) - block.startswith(b"\n", 0, sent)
        self.written += whole
        if whole and self.on_written is not None:
            self.on_written(whole)

    def _writable(self, poll: select.poll) -> bool:
        # A reader that is gone shows as POLLERR: the rows stay, in case the descriptor is served again.
        return any(events & select.POLLOUT and not events & select.POLLERR for _, events in poll.poll(0))

    def _next_block(self) -> bytes:
        """Take whole lines off the queue, one at least, and no more than one write should carry."""
        lines = self._lines
        taken = [lines.popleft()]
        size = len(taken[0])
        while lines and size + len(lines[0]) <= self._block_bytes:
            size += len(lines[0])
            taken.append(lines.popleft())
        return b"".join(taken)

    def close(self) -> int:
        """Write what can be written now; return how many lines could not be."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._stop_watching()
        self.flush_now()
        if self._own_fd:
            os.close(self._fd)
            self._fd, self._own_fd = -1, False
        return self.pending

    def __repr__(self) -> str:
        return f"<LineWriter fd={self._fd} pending={self.pending} written={self.written} dropped={self.dropped}>"


def _begun_again(block: bytes, sent: int) -> bytes:
    """What is left of `block` after a cut at `sent`, beginning with the cut line whole, on a line of its own."""
    start = block.rfind(b"\n", 0, sent) + 1
    return b"\n" + block[start:] if start < sent else block[start:]
