from __future__ import annotations

import os
import select
import subprocess
import sys
import termios
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = pytest.mark.e2e

# The terminal becomes the one of a new session; then questions are asked as in a run, and the answers printed.
CHILD = """
import asyncio, fcntl, os, signal, sys, termios
from beyond_agent.policy.tty import TerminalAsker

terminal, timeout, times, mode = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
os.setsid()
fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
if mode == "background":
    signal.signal(signal.SIGTTIN, signal.SIG_DFL)
    if (child := os.fork()):
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    os.setpgid(0, 0)

async def main():
    asker = TerminalAsker(timeout)
    for _ in range(times):
        ask = asker("bash", "bash: ls", "cmd:ls")
        try:
            reply = await (asyncio.wait_for(ask, 0.2) if mode == "cancel" else ask)
        except TimeoutError:
            reply = "cancelled"
        print(tuple(reply) if reply != "cancelled" else reply, flush=True)

asyncio.run(main())
"""


class Terminal:
    """The far end of a terminal that a process asks on."""

    def __init__(self, descriptor: int, process: subprocess.Popen[str]) -> None:
        self._descriptor = descriptor
        self._process = process
        self.shown = ""

    def until(self, text: str) -> None:
        """Read what is shown until it ends so."""
        while not self.shown.endswith(text):
            assert select.select([self._descriptor], [], [], 10)[0], f"not shown: {text!r} in {self.shown!r}"
            self.shown += os.read(self._descriptor, 1024).decode()

    def types(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def answers(self) -> list[str]:
        """Return what the process was told, when it has ended."""
        out, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0
        return out.splitlines()


@contextmanager
def asked(timeout: float = 30, times: int = 1, mode: str = "front") -> Generator[Terminal]:
    """Ask on a terminal of its own."""
    ours, theirs = os.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    argv = [sys.executable, "-c", CHILD, str(theirs), str(timeout), str(times), mode]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, pass_fds=[theirs])
    os.close(theirs)
    try:
        yield Terminal(ours, process)
    finally:
        process.kill()
        process.communicate()
        os.close(ours)


QUESTION = "[approve] bash: ls\r\nallow? [y]es, [a]lways in this session, [N]o: "


def test_the_question_is_on_the_terminal_and_the_answer_counts() -> None:
    """Each question stands with what the call would do; yes, always and no are understood."""
    with asked(times=3) as terminal:
        for word in ("y\n", "always\n", "n\n"):
            terminal.until(QUESTION)
            terminal.shown = ""
            terminal.types(word)
        assert terminal.answers() == [
            "('allow', 'once', None)",
            "('allow', 'session', None)",
            "('deny', None, 'denied by the user')",
        ]


UNCLEAR = "('deny', None, 'the answer of the user was not understood')"
NONE = "('deny', None, 'nobody answered the question for approval in time')"


@pytest.mark.parametrize(("typed", "reply"), [("yess\n", UNCLEAR), ("\x04", NONE), ("y" * 2000 + "\n", NONE)])
def test_end_of_input_and_a_malformed_answer_deny(typed: str, reply: str) -> None:
    """Only a clear yes is one."""
    with asked() as terminal:
        terminal.until(QUESTION)
        terminal.types(typed)
        assert terminal.answers() == [reply]


def test_what_was_typed_before_the_question_is_no_answer() -> None:
    """A key pressed for something else must not allow a call."""
    with asked(timeout=0.3) as terminal:
        terminal.types("y\n")
        assert terminal.answers() == [NONE]
        terminal.until("[no answer: denied]\r\n")


def test_a_time_longer_than_any_clock_is_for_ever() -> None:
    """The longest `--approve-timeout-ms` waits for the answer too."""
    with asked(timeout=2**53 / 1000) as terminal:
        terminal.until(QUESTION)
        terminal.types("y\n")
        assert terminal.answers() == ["('allow', 'once', None)"]


def test_a_cancelled_question_ends_at_once() -> None:
    """The process does not wait for its time to be up, and nobody reads the terminal any more."""
    with asked(timeout=60, times=2, mode="cancel") as terminal:
        assert terminal.answers() == ["cancelled", "cancelled"]


def test_a_run_in_the_background_is_denied_and_not_stopped() -> None:
    """Reading a terminal from there would halt the process for ever."""
    with asked(mode="background") as terminal:
        (answer,) = terminal.answers()
        assert answer == "('deny', None, 'it needs approval, and the run is in the background of its terminal')"
