"""The core is pure: event loop, clock and randomness are imported where the contract allows it, and nowhere else."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import beyond_agent_core

ROOT = Path(beyond_agent_core.__file__).parent
PURE = {
    "__future__",
    "beyond_agent_core",
    "beyond_wire",
    "collections",
    "datetime",
    "email",
    "itertools",
    "math",
    "msgspec",
    "re",
    "types",
    "typing",
    "urllib",
}
LOOP_LINES = 250


MORE = {
    "agent.py": {"asyncio", "random", "time"},
    "control.py": {"threading"},
    "dispatch.py": {"asyncio"},
    "dispatch_call.py": {"asyncio", "inspect"},
    "dispatch_locks.py": {"asyncio", "contextlib", "threading"},
    "dispatch_progress.py": {"asyncio", "contextlib"},
    "dispatch_threads.py": {"asyncio", "contextlib", "contextvars", "threading"},
    "drive.py": {"asyncio"},
    "drive_backlog.py": {"asyncio"},
    "drive_call.py": {"asyncio"},
    "drive_hooks.py": {"asyncio"},
    "hooks.py": {"logging"},
    "tools.py": {"inspect"},
}
"""What a module imports beyond the pure parts; the test kit is free."""
CLIENT = {"asyncio", "base64", "contextlib", "h11", "inspect", "os", "ssl", "time"}
"""The same for the files of the HTTP client."""


def imported(path: Path) -> set[str]:
    roots: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add((node.module or "").partition(".")[0])
    return roots


def test_modules_import_pure_parts_only() -> None:
    """Whoever needs more is listed, with no more than it needs; `threading` in `control` is for its lock."""
    client: set[str] = set()
    for path in ROOT.glob("*.py"):
        more = imported(path) - PURE
        if path.name.startswith("client"):
            client |= more
        else:
            assert more == MORE.get(path.name, set()), path.name
    assert client == CLIENT


# The lazy names of the package come from everywhere, so the graph is that of the modules' own statements.
CORE = ("loop", "session", "control", "limits", "retry", "compaction", "schema", "effects", "events", "errors")
DRIVERS = {"asyncio", "beyond_agent_core.agent", "beyond_agent_core.client", "beyond_agent_core.drive",
           "beyond_agent_core.dispatch", "beyond_agent_core.tools", "beyond_agent_core.hooks"}  # fmt: skip


def reached(name: str, seen: set[str]) -> set[str]:
    """Every module that one imports, and those that these import, type-checking imports left out."""
    if name in seen:
        return seen
    seen.add(name)
    if not name.startswith("beyond_agent_core."):
        return seen
    path = ROOT / f"{name.removeprefix('beyond_agent_core.').replace('.', '/')}.py"
    if not path.exists():
        return seen
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                reached(alias.name, seen)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            for module in [node.module, *(inner if node.module == "beyond_agent_core" else [])]:
                reached(module, seen)
    return seen


@pytest.mark.parametrize("name", CORE)
def test_the_core_reaches_no_driver(name: str) -> None:
    """Not by a chain of imports either: no event loop, client, clock or randomness."""
    seen = reached(f"beyond_agent_core.{name}", set())
    assert not seen & (DRIVERS | {"random", "socket", "ssl", "time", "logging", "subprocess"}), seen


def test_the_loop_fits_its_bound() -> None:
    """The loop is read on a page or two (agent-core contract, shape)."""
    assert len((ROOT / "loop.py").read_text().splitlines()) < LOOP_LINES


def test_the_package_loads_no_network() -> None:
    """Whoever brings a transport of their own pays for no HTTP: neither h11 nor a client library is imported."""
    script = "import sys, beyond_agent_core; print(sorted({'h11', 'http.client', 'httpx2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
