"""Ends the process groups of an agent that cannot do it: because it was killed, or because it is gone before they are.

A killed process runs no code, so somebody else must see its end. This is a shell that reads a pipe whose other end only
the agent holds: the kernel closes it however the agent ends. One shell serves the whole agent; it is told of each group
in a line, keeps the list, and at end of file sends TERM to all that are left, and KILL two seconds later. The same
shell sends the KILL that is due two seconds after a call, so it comes though the agent may have ended by then.

A shell, because it takes a millisecond to start and less than a megabyte. It is there before the first program is.
Between the start of a program and the line about it lie some 100 microseconds, in which a kill of the agent leaves that
program alone.
"""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import suppress
from typing import Final

# The numbers of groups are the agent's own, so they need no quoting. An ended group is looked at five times a second,
# so that its number, once free for others to have, is soon forgotten. Who looks is a child's child, and so init's to
# reap: a shell that only reads reaps nothing itself. INT and HUP are the terminal's, for the agent.
_SCRIPT: Final = """
trap '' INT HUP TERM
live=' '
while read -r what group; do
  case $what in
    +) live="$live$group " ;;
    *) case $live in *" $group "*) live="${live%%" $group "*} ${live#*" $group "}" ;; esac ;;
  esac
  if [ "$what" = '!' ]; then
    (
      {
        for step in 1 2 3 4 5 6 7 8 9 10; do
          sleep 0.2
          kill -s 0 -- "-$group" || exit 0
        done
        kill -s KILL -- "-$group"
      } &
    )
  fi
done
[ "$live" = ' ' ] && exit 0
for group in $live; do kill -s TERM -- "-$group"; done
sleep 2
for group in $live; do kill -s KILL -- "-$group"; done
"""


class Watchdog:
    """The shell behind one agent; it is started when first needed. Methods raise OSError where it cannot be."""

    def __init__(self) -> None:
        self._shell: tuple[int, int] | None = None
        self._live: set[int] = set()

    def __repr__(self) -> str:
        return f"<Watchdog shell={None if self._shell is None else self._shell[0]} groups={len(self._live)}>"

    def __del__(self) -> None:
        if self._shell is not None:
            os.close(self._shell[1])

    def ready(self) -> None:
        """Start the shell, unless it has been."""
        if self._shell is None:
            self._shell = _started()

    def begun(self, group: int) -> None:
        """Take over a group: from now on it does not outlive the agent."""
        self._tell(f"+ {group}\n")
        self._live.add(group)

    def over(self, group: int, *, kill: bool) -> None:
        """Let go of a group; with `kill` it has had its TERM, and gets KILL in two seconds."""
        self._live.discard(group)
        self._tell(f"{'!' if kill else '-'} {group}\n")

    def close(self) -> None:
        """End the shell and the groups that it has, as the end of the agent would. The next group starts another."""
        shell, self._shell = self._shell, None
        if shell is not None:
            os.close(shell[1])
            threading.Thread(target=_reap, args=(shell[0],), name="watchdog's end", daemon=True).start()

    def _tell(self, line: str) -> None:
        """Write a line. A shell that somebody has ended is replaced by one that knows the live groups."""
        if self._shell is not None:
            try:
                os.write(self._shell[1], line.encode())
            except BlockingIOError:
                # Somebody has stopped it, and six thousand lines ago: waiting would stop the agent too.
                return
            except BrokenPipeError:
                self.close()
            else:
                return
        known = "".join(f"+ {group}\n" for group in self._live)
        self._shell = _started()
        os.write(self._shell[1], (known + line).encode())


def _reap(shell: int) -> None:
    # Where SIGCHLD is ignored nothing is left to reap.
    with suppress(ChildProcessError):
        os.waitpid(shell, 0)


def _started() -> tuple[int, int]:
    """Start the shell; return its process id, and the end of its pipe that keeps it waiting."""
    reading, writing = os.pipe()
    try:
        os.set_blocking(writing, False)
        shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": f"/usr/bin:/bin:{os.environ.get('PATH', '')}"},
            start_new_session=True,
        )
    except BaseException:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    # It is meant to outlive this object, and Popen would warn of that.
    shell.returncode = 0
    return shell.pid, writing
