"""What the host gives and what the configuration would take of it: open files, workers, memory."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Final

from beyond_gateway.doctor.report import Check, note, ok
from beyond_gateway.host.limits import usable_cores, usable_memory

if TYPE_CHECKING:
    from beyond_gateway.config import Config

_FEW_FILES: Final = 4096
"""Descriptors below which a worker holds fewer than some two thousand streams, each with a client and a provider."""


def open_files() -> Check:
    """Return the limits on open files; the gateway raises the soft one by itself, so the hard one counts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _FEW_FILES:
        return note(
            "open files", f"at most {hard}, about {hard // 2} streams a worker; LimitNOFILE or ulimit -n gives more"
        )
    return ok("open files", f"{_limit(soft)} now, raised to {_limit(hard)} at start")


def host(config: Config) -> list[Check]:
    """Return the findings about workers and memory."""
    cores, memory = usable_cores(), usable_memory()
    workers = config.workers or cores
    if workers > cores:
        first = note("workers", f"{workers} on {_count(cores, 'usable core')}: more than cores gain nothing")
    else:
        first = ok("workers", f"{workers} on {_count(cores, 'usable core')}")
    bodies = config.max_buffered_body_bytes
    shown = f"{_mib(memory)}; chat bodies may take {_mib(bodies)} (max_buffered_body_bytes)"
    # Bodies are not all: streams, rows and the workers themselves need the other half.
    return [first, ok("memory", shown) if bodies <= memory // 2 else note("memory", f"{shown}: more than half of it")]


def _limit(number: int) -> str:
    return "unlimited" if number == resource.RLIM_INFINITY else str(number)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
