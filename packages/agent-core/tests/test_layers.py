"""The core is pure: event loop, clock and randomness are imported where the contract allows it, and nowhere else."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import beyond_agent_core

ROOT = Path(beyond_agent_core.__file__).parent
PURE = {
    "__future__",
    "beyond_agent_core",
    "beyond_wire",
    "collections",
    "itertools",
    "math",
    "msgspec",
    "threading",
    "typing",
}
LOOP_LINES = 250


MORE = {
    "agent.py": {"asyncio", "random", "time"},
    "client.py": {"asyncio", "datetime", "email", "h11", "ssl", "urllib"},
    "dispatch.py": {"asyncio", "inspect"},
    "drive.py": {"asyncio", "contextlib"},
    "tools.py": {"inspect"},
}


def test_modules_import_pure_parts_only() -> None:
    """`threading` is for the lock of `control` alone, asyncio for those that drive."""
    for path in ROOT.rglob("*.py"):
        allowed = PURE | MORE.get(path.name, set())
        roots: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                roots |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                roots.add((node.module or "").partition(".")[0])
        assert roots - {"types"} <= allowed, path
        assert "threading" not in roots or path.name == "control.py", path


def test_the_loop_fits_its_bound() -> None:
    """The loop is read on a page or two (agent-core contract, shape)."""
    assert len((ROOT / "loop.py").read_text().splitlines()) < LOOP_LINES


def test_the_package_loads_no_network() -> None:
    """Whoever brings a transport of their own pays for no HTTP: neither h11 nor a client library is imported."""
    script = "import sys, beyond_agent_core; print(sorted({'h11', 'http.client', 'httpx2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
