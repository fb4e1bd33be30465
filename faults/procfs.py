"""What a gateway holds, read from /proc: descriptors and memory of a process with all its descendants."""

from __future__ import annotations

import re
from pathlib import Path

from bench.procfs import resident_bytes, tree

__all__ = [
    "any_alive",
    "children",
    "descriptors",
    "kinds_of_descriptors",
    "peak_bytes",
    "reset_peak",
    "resident_bytes",
    "servers_of",
    "tree",
]


def children(pid: int) -> list[int]:
    """Return the living descendants of a process, itself not among them."""
    return tree(pid)[1:]


def kinds_of_descriptors(pid: int) -> list[str]:
    """Return what each open descriptor of the tree is: `socket:`, `pipe:`, `anon_inode:…` or a path, sorted."""
    found: list[str] = []
    for member in tree(pid):
        try:
            entries = list(Path(f"/proc/{member}/fd").iterdir())
        except OSError:
            continue
        for entry in entries:
            try:
                found.append(re.sub(r"\[\d+\]$", "", str(entry.readlink())))
            except OSError:
                continue
    return sorted(found)


def descriptors(pid: int) -> int:
    """Return how many descriptors the tree has open."""
    return len(kinds_of_descriptors(pid))


def any_alive(pids: list[int]) -> bool:
    """Whether one of these processes is still there."""
    return any(Path(f"/proc/{pid}").exists() for pid in pids)


def servers_of(port: int, pids: list[int]) -> dict[int, int]:
    """Return which of `pids` holds each connection accepted on `port`, by the client's port."""
    clients: dict[str, int] = {}
    for line in Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]:
        fields = line.split()
        if int(fields[1].partition(":")[2], 16) == port:
            clients[f"socket:[{fields[9]}]"] = int(fields[2].partition(":")[2], 16)
    found: dict[int, int] = {}
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            if (name := str(entry.readlink())) in clients:
                found[clients[name]] = pid
    return found


def reset_peak(pid: int) -> None:
    """Let `peak_bytes` begin anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="utf-8")


def peak_bytes(pid: int) -> int:
    """Return the most memory the process itself ever had, or had since `reset_peak`."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    return int(found[1]) * 1024 if found else 0
