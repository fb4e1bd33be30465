"""The machine and the versions behind the figures, and what must be installed before there are any."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from bench.setting import progress

TOOLS = {"nginx": "nginx", "wrk": "wrk", "taskset": "util-linux"}


def missing_tools() -> list[str]:
    """Debian packages still missing after an attempt to install them, which only root can make."""
    lacking = [package for tool, package in TOOLS.items() if not _which(tool)]
    if not lacking or os.geteuid() != 0 or not shutil.which("apt-get"):
        return lacking
    progress(f"apt-get install {' '.join(lacking)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "-qq", "update"], ["apt-get", "-qq", "install", "--no-install-recommends", *lacking]):
        words = [*command, "-y"] if "install" in command else command
        subprocess.run(words, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return [package for tool, package in TOOLS.items() if not _which(tool)]


def _which(tool: str) -> str | None:
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def cores() -> tuple[int, int] | None:
    """The core of the proxy and the core of load and mock; None where this process may use one core only."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[-1], usable[0]) if len(usable) > 1 else None


def facts() -> dict[str, str]:
    """Name and value of everything a reader needs to judge the figures."""
    return {
        "cpu": f"{_cpu_model()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB",
        "kernel": platform.release(),
        "python": f"{platform.python_version()}, {_python_build()}",
        "nginx": _first_line(["nginx", "-v"]).removeprefix("nginx version: nginx/"),
        "wrk": _first_line(["wrk", "-v"]).split(" [")[0].removeprefix("wrk "),
        **{name: _version(name) for name in ("beyond-ai", "uvloop", "httptools", "msgspec", "pynacl")},
    }


def load_average() -> str:
    """Load of the last minute: above 0.5 before the first run, other work shared the cores."""
    return f"{os.getloadavg()[0]:.2f}"


def _python_build() -> str:
    """What built the interpreter, and when: builds of one version differ by a fifth in speed."""
    return f"{platform.python_compiler()}, {platform.python_build()[1]}"


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _first_line(command: list[str]) -> str:
    path = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"}
    done = subprocess.run(command, env=path, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"
