"""Which process that is: a number and when it began, because numbers are used again."""

from __future__ import annotations

import os


def start_of(pid: int) -> str | None:
    """Return when a process of this machine began, None where it is gone; empty where the system does not say.

    The text is only good to be compared. A zombie is gone: it will not write any more.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - importing pathlib costs 10 ms of the start
            # The name stands in brackets and may hold anything; behind them come the state and, 20th, the start.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None if os.path.exists("/proc/self/stat") else _start_without_proc(pid)  # noqa: PTH110 - as above
    return None if fields[0] in (b"Z", b"X", b"x") else fields[19].decode()


def space() -> str:
    """Return what tells apart machines of one host name: process ids are those of a name space; empty if unknown."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - as above
    except OSError:
        return ""


def _start_without_proc(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return ""
    return ""
