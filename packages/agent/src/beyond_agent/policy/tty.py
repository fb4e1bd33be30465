"""Questions to the person at the terminal of a run. Without one, or without an answer, the call is denied.

The terminal is opened by its own name, because stdin and stdout may be pipes. A thread waits for the answer by
`select`, since a terminal in an event loop does not work on macOS; it opens the terminal without blocking, so that one
that was halted cannot hold up the end of the run. A pipe wakes it where nobody waits for the answer any more.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import nullcontext, suppress
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

TERMINAL: Final = "/dev/tty"
MOST_BYTES: Final = 1024
"""Bytes of an answer; a longer one is none."""
MOST_S: Final = 1e9
"""Seconds that `select` can be told on any system: thirty years are for ever."""
_CHOICES: Final = "allow? [y]es, [a]lways in this session, [N]o: "


class Reply(NamedTuple):
    """What was answered; `reason` says why it is a no."""

    decision: str
    scope: str | None = None
    reason: str | None = None


class TerminalAsker:
    """Asks on the controlling terminal, for at most `timeout_s` a question.

    `aside` is entered while a question is open, for a live display that must be out of the way.
    """

    def __init__(
        self,
        timeout_s: float,
        *,
        terminal: str = TERMINAL,
        aside: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._timeout_s = min(timeout_s, MOST_S)
        self._terminal = terminal
        self._aside = aside

    async def __call__(self, tool: str, summary: str, scope_key: str) -> Reply:
        """Return the answer; a no where there is no terminal, nobody answers, or the answer is not clear."""
        del tool, scope_key
        woken, wake = os.pipe()
        with self._aside():
            asked = asyncio.get_running_loop().run_in_executor(None, self._asked, summary, woken)
            asked.add_done_callback(lambda _: os.close(woken))
            try:
                return await asyncio.shield(asked)
            finally:
                os.close(wake)

    def _asked(self, summary: str, woken: int) -> Reply:
        try:
            terminal = os.open(self._terminal, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return Reply("deny", reason="it needs approval, and there is no terminal to ask on")
        try:
            return _answer(terminal, woken, f"[approve] {summary}\n{_CHOICES}", self._timeout_s)
        except OSError as error:
            return Reply("deny", reason=f"it needs approval, and the terminal failed: {error.strerror}")
        finally:
            os.close(terminal)


def understood(line: str) -> Reply:
    """Return what a line means; whatever is not one of the words is a no."""
    match line.strip().lower():
        case "y" | "yes":
            return Reply("allow", "once")
        case "a" | "always":
            return Reply("allow", "session")
        case "n" | "no" | "":
            return Reply("deny", reason="denied by the user")
        case _:
            return Reply("deny", reason="the answer of the user was not understood")


def _answer(terminal: int, woken: int, question: str, timeout_s: float) -> Reply:
    import termios  # noqa: PLC0415 - only a question needs it

    if os.tcgetpgrp(terminal) != os.getpgrp():
        # Reading there would stop the process.
        return Reply("deny", reason="it needs approval, and the run is in the background of its terminal")
    # What was typed before the question was there is no answer to it.
    with suppress(termios.error):
        termios.tcflush(terminal, termios.TCIFLUSH)
    os.write(terminal, question.encode("utf-8", "replace"))
    line = _line(terminal, woken, monotonic() + timeout_s)
    if line is None:
        os.write(terminal, b"\n[no answer: denied]\n")
        return Reply("deny", reason="nobody answered the question for approval in time")
    return understood(line)


def _line(terminal: int, woken: int, until: float) -> str | None:
    """Return the line that was typed; None where none was in time, or it did not end as one."""
    from select import select  # noqa: PLC0415 - only a question needs it

    typed = b""
    while b"\n" not in typed:
        ready = select([terminal, woken], [], [], max(0.0, until - monotonic()))[0]
        piece = os.read(terminal, MOST_BYTES) if ready == [terminal] else b""
        typed += piece
        if not piece or len(typed) > MOST_BYTES:
            return None
    return typed.decode("utf-8", "replace")
