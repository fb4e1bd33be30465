"""Cores, memory and open files, from real control-group files in a folder of our own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from beyond_gateway.host.limits import usable_cores, usable_memory

NOWHERE = Path("/nonexistent")
MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.fixture
def sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of sixteen cores, whatever runs the test."""

    def mask(_pid: int) -> set[int]:
        return set(range(16))

    monkeypatch.setattr(os, "sched_getaffinity", mask)


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def test_without_a_quota_it_is_the_affinity_mask() -> None:
    """No control group limits: the cores of the mask."""
    assert usable_cores(NOWHERE, NOWHERE) == len(os.sched_getaffinity(0))


@pytest.mark.usefixtures("sixteen")
@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "200000 100000"}, 2),
        ({"cpu.max": "250000 100000"}, 3),
        ({"cpu.max": "1000 100000"}, 1),
        ({"cpu.max": "6400000 100000"}, 16),
        ({"cpu.max": "max 100000"}, 16),
        ({"cpu.max": ""}, 16),
        ({"cpu.max": "junk junk"}, 16),
        ({"cpu.max": "200000 0"}, 16),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 16),
        ({"cpu/cpu.cfs_quota_us": "300000"}, 16),
    ],
)
def test_a_cpu_quota_counts_rounded_up(tmp_path: Path, files: dict[str, str], cores: int) -> None:
    """Both versions' files limit, fractions round up, and what cannot be read does not limit."""
    put(tmp_path, files)
    assert usable_cores(tmp_path, NOWHERE) == cores


@pytest.mark.usefixtures("sixteen")
def test_groups_above_ours_limit_too(tmp_path: Path) -> None:
    """On a host that shows the whole tree the least quota on the way to our group holds; other groups' do not."""
    put(
        tmp_path,
        {
            "membership": "12:memory:/other\n5:cpu,cpuacct:/pods/ours\n0::/system.slice/gateway.service",
            "system.slice/cpu.max": "500000 100000",
            "system.slice/gateway.service/cpu.max": "800000 100000",
            "system.slice/other.service/cpu.max": "100000 100000",
            "cpu/pods/ours/cpu.cfs_quota_us": "700000",
            "cpu/pods/ours/cpu.cfs_period_us": "100000",
            "cpu/other/cpu.cfs_quota_us": "100000",
            "cpu/other/cpu.cfs_period_us": "100000",
        },
    )
    assert usable_cores(tmp_path, tmp_path / "membership") == 5
    (tmp_path / "system.slice/cpu.max").unlink()
    assert usable_cores(tmp_path, tmp_path / "membership") == 7


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({}, MACHINE),
        ({"memory.max": "1048576"}, 1_048_576),
        ({"memory.max": "max"}, MACHINE),
        ({"memory/memory.limit_in_bytes": "2097152"}, 2_097_152),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, MACHINE),
        ({"membership": "0::/a", "a/memory.max": "4096"}, 4096),
    ],
)
def test_memory_is_the_least_of_machine_and_groups(tmp_path: Path, files: dict[str, str], most: int) -> None:
    """Bytes of the machine, or of the control group where it allows less."""
    put(tmp_path, files)
    assert usable_memory(tmp_path, tmp_path / "membership") == most


def test_the_soft_limit_on_open_files_rises_to_the_hard_one() -> None:
    """In a process of its own: afterwards both limits and the returned figure are the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = min(256, hard)
    script = (
        "import resource; from beyond_gateway.host.limits import raise_open_files\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({low}, {hard}))\n"
        "print(raise_open_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(hard)] * 3
