"""How much of the host this process may use: cores, memory, open files.

The number of cores that the machine has is the wrong answer in a container: a pod with a quota of two cores on a host
of sixty-four would start sixty-four workers, which share two cores, sixty-four times the memory and a throttled clock.
What counts is the affinity mask and the CPU quota of the control groups, whichever is less.
"""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
"""Where control groups are mounted; a container sees its own at the root (cgroups(7))."""
_MEMBERSHIP: Final = Path("/proc/self/cgroup")


def usable_cores(cgroups: Path = CGROUPS, membership: Path = _MEMBERSHIP) -> int:
    """Return the whole cores this process may use, at least 1: the affinity mask, less where a CPU quota is below it.

    A quota of 2.5 cores gives 3: the last half core would idle with 2 workers. Reads `cpu.max` (cgroup v2) and
    `cpu.cfs_quota_us` (v1) of this process's groups and of those above them. Raises nothing: what cannot be read does
    not limit.
    """
    cores = len(os.sched_getaffinity(0))
    for folder in _folders(cgroups, membership, "cpu"):
        quota, period = _numbers(folder / "cpu.max")
        if quota is None:
            quota, _ = _numbers(folder / "cpu.cfs_quota_us")
            period, _ = _numbers(folder / "cpu.cfs_period_us")
        if quota and period and quota > 0:
            cores = min(cores, -(-quota // period))
    return cores


def usable_memory(cgroups: Path = CGROUPS, membership: Path = _MEMBERSHIP) -> int:
    """Return the bytes of memory this process may use: the machine's, less where a control group allows less.

    Past this figure the kernel kills; it says nothing about how much of it is free. Raises nothing.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for folder in _folders(cgroups, membership, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            most, _ = _numbers(folder / name)
            if most is not None:
                memory = min(memory, most)
    return memory


def raise_open_files() -> int:
    """Raise the soft limit on open files to the hard one; return the limit that holds now. Raises nothing.

    A stream takes two descriptors, the client's and the provider's, so the customary soft limit of 1024, kept low for
    programs that use select(2), ends a worker at five hundred streams. We poll with epoll and may use what is allowed.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft


def _folders(cgroups: Path, membership: Path, controller: str) -> list[Path]:
    """Folders whose files may limit us, roots included.

    A container sees its own group at the mount's root; a service of systemd, or v1 under some runtimes, sees the whole
    tree and is named in /proc/self/cgroup (`5:cpu,cpuacct:/a/b`, v2 `0::/a/b`). A limit above a group binds it as well.
    """
    folders = [cgroups, cgroups / controller]
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in membership.read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            names = controllers.split(",")
            if controllers and controller not in names:
                continue
            path = cgroups / controller if controllers else cgroups
            for part in Path(group).parts[1:]:
                path /= part
                folders.append(path)
    return folders


def _numbers(path: Path) -> tuple[int | None, int | None]:
    """First and second number of a file; None for one that is missing, or says `max`, or cannot be read."""
    try:
        words = path.read_text("ascii").split()
    except (OSError, UnicodeDecodeError):
        return None, None
    first, second = (*words, "", "")[:2]
    return _number(first), _number(second)


def _number(word: str) -> int | None:
    try:
        return int(word)
    except ValueError:
        return None
