"""A process that writes a session, for tests that kill, stop and outrun it: `python agent_session_child.py MODE …`.

It says on standard output what it has done, a word a line, when that is on the disk or refused.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from beyond_agent.sessions.errors import SessionError
from beyond_agent.sessions.store import SessionStore
from beyond_wire.types import user


def tell(word: object) -> None:
    os.write(1, f"{word}\n".encode())


def hold(folder: str, session_id: str) -> None:
    """Open a session, say so, and wait for a line: then write one more."""
    stored = SessionStore(folder, owner="the other").open(session_id)
    tell("open")
    for line in sys.stdin:
        stored.rename(line)
        tell("written")


def write(folder: str, session_id: str, name: str) -> None:
    """Write messages until somebody takes the session over; tell of each."""
    stored = SessionStore(folder, owner=name).open(session_id)
    number = 0
    while True:
        stored.book.add_message(user(f"{name} {number}"))
        tell(number)
        number += 1


def crowd(folder: str, session_id: str = "") -> None:
    """Have 50 processes at once make a session each, or write to the one of an id; each tells the id it has written."""
    ready, go = os.pipe()
    pids: list[int] = []
    for name in range(50):
        pid = os.fork()
        if not pid:
            os.close(go)
            os.read(ready, 1)  # all begin when the other end closes
            try:
                claim(folder, session_id, str(name)) if session_id else create(folder, str(name))
            except BaseException as error:  # noqa: BLE001 - the test sees what went wrong
                tell(repr(error))
            os._exit(0)
        pids.append(pid)
    os.close(go)
    for pid in pids:
        os.waitpid(pid, 0)


def create(folder: str, name: str) -> None:
    """Make a session in which something is said, and end cleanly."""
    stored = SessionStore(folder).create(f"/work/{name}", "m")
    stored.book.add_message(user(name))
    stored.close()
    tell(stored.id)


def claim(folder: str, session_id: str, name: str) -> None:
    """Open or make the session with an id, and write a line, as soon as it is free."""
    while True:
        try:
            stored = SessionStore(folder).open_or_create(session_id, "/work", "m")
            break
        except SessionError as error:
            if error.code != "session_locked":
                raise
            time.sleep(0.01)
    stored.book.add_message(user(name))
    stored.close()
    tell(name)


def fill(folder: str, most: str) -> None:
    """Write to a session until the disk is full, which it is at `most` bytes a file; tell what was written."""
    stored = SessionStore(folder).create("/work", "m")
    tell(stored.id)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))
    for number in range(1000):
        stored.book.add_message(user(f"{number} {'x' * (number % 97)}"))
        tell(number)


def deaths(folder: str) -> None:
    """Have processes make a session each and die at their first call of the system, at their second, and so on.

    Tell of each what it announced; the last one lives.
    """
    for number in range(200):
        out, announced = os.pipe()
        pid = os.fork()
        if not pid:
            os.dup2(announced, 1)
            die_at(number)
            tell(SessionStore(f"{folder}/{number}").open_or_create("sess_fixed", "/work", "m").id)
            os._exit(0)
        os.close(announced)
        with os.fdopen(out) as file:
            told = file.read().strip()
        _, status = os.waitpid(pid, 0)
        tell(f"{number} {told}")
        if status == 0:
            break


def die_at(number: int) -> None:
    left = [number]

    def dying(real: Any) -> Any:
        def called(*given: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **named)

        return called

    for name in ("open", "write", "pwrite", "link", "unlink", "rename", "fdopen", "stat", "fstat", "makedirs"):
        setattr(os, name, dying(getattr(os, name)))


def weigh(folder: str, session_id: str) -> None:
    """Open a session; tell the milliseconds, the KiB by which memory rose to its peak, and how much of it is there."""
    before = peak_kib()
    began = time.perf_counter()
    stored = SessionStore(folder).open(session_id)
    took = time.perf_counter() - began
    tell(f"{took * 1000:.0f} {before} {peak_kib()} {len(stored.session.messages)}")


def peak_kib() -> int:
    """Return the most memory that this process has had, without what it was before it became this program."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(status.partition("VmHWM:")[2].split()[0])


MODES = (hold, write, crowd, fill, deaths, weigh)

if __name__ == "__main__":
    chosen = next(each for each in MODES if each.__name__ == sys.argv[1])
    try:
        chosen(*sys.argv[2:])
    except SessionError as error:
        tell(f"{error.code}: {error}")
