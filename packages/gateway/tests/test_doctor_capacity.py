"""What is configured against what this host gives."""

from __future__ import annotations

import resource
import subprocess
import sys

import msgspec

from beyond_gateway.config import Config
from beyond_gateway.doctor.capacity import host
from beyond_gateway.doctor.report import Check, note, ok
from beyond_gateway.host.limits import usable_cores, usable_memory


def test_workers_are_the_cores_unless_set() -> None:
    """The resolved number is shown; more than the cores is a note."""
    cores = usable_cores()
    assert host(Config())[0].detail.startswith(f"{cores} on {cores} usable core")
    assert host(Config(workers=1))[0].detail.startswith(f"1 on {cores} usable core")
    found = host(Config(workers=1024))[0]
    assert (found.status, found.detail.partition(" ")[0]) == ("note", "1024")


def test_buffers_leave_half_of_the_memory() -> None:
    """Chat bodies that may take more than half are a note, with both figures."""
    half = usable_memory() // 2
    assert host(Config(max_buffered_body_bytes=half))[1].status == "ok"
    found = host(Config(max_buffered_body_bytes=half + 1))[1]
    assert (found.status, found.detail.endswith("more than half of it")) == ("note", True)
    assert f"{half / 2**20:,.0f} MiB (max_buffered_body_bytes)" in found.detail


def limited(soft: int, hard: int) -> Check:
    """The finding in a process with these limits on open files."""
    script = (
        "import resource, msgspec; from beyond_gateway.doctor.capacity import open_files\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "print(msgspec.json.encode(open_files()).decode())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    return msgspec.json.decode(done.stdout, type=Check)


def test_the_hard_limit_on_open_files_counts() -> None:
    """A low soft limit is raised at start and therefore well; a low hard limit is a note with what it means."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    enough = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    assert limited(256, enough) == ok("open files", f"256 now, raised to {enough} at start")
    assert limited(256, 1024) == note(
        "open files", "at most 1024, about 512 streams a worker; LimitNOFILE or ulimit -n gives more"
    )
