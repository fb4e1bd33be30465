"""CPU time and resident memory of a process with all its descendants, read from /proc."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def tree(pid: int) -> list[int]:
    """`pid` and its living descendants: nginx's worker, or the workers under a supervisor."""
    parents: dict[int, int] = dict(_parents())
    found = [pid]
    for known in found:
        found.extend(child for child, parent in parents.items() if parent == known)
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            yield int(entry.name), int(fields[1])


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on (state), as the second may hold spaces; empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def cpu_seconds(pid: int) -> float:
    """User and system time of the tree so far, in seconds.

    The scheduler's own count in ns where the kernel keeps one, as two truncations to the 10 ms tick of the other are
    4 % of a paced run.
    """
    total = 0.0
    for member in tree(pid):
        try:
            threads = list(Path(f"/proc/{member}/task").iterdir())
            total += sum(int((thread / "schedstat").read_text(encoding="utf-8").split()[0]) for thread in threads) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            if fields := _stat(member):
                total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def core_busy_seconds(core: int) -> float:
    """Time so far in which `core` was not idle, whoever used it, in seconds."""
    lines = Path("/proc/stat").read_text(encoding="utf-8").splitlines()
    fields = next(line.split()[1:9] for line in lines if line.startswith(f"cpu{core} "))
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / TICKS


def resident_bytes(pid: int) -> int:
    """Resident memory of the tree; pages that members share are counted once for each."""
    total = 0
    for member in tree(pid):
        try:
            total += int(Path(f"/proc/{member}/statm").read_text(encoding="utf-8").split()[1]) * PAGE
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


class PeakResident:
    """The highest resident memory of a tree while the `with` block runs, sampled every 20 ms."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="peak-resident", daemon=True)
        self.peak_bytes = resident_bytes(pid)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(0.02):
            self.peak_bytes = max(self.peak_bytes, resident_bytes(self._pid))
