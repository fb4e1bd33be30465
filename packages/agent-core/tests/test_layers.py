"""The core is pure: no event loop, clock, randomness, file or network is imported."""

from __future__ import annotations

import ast
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


def test_modules_import_pure_parts_only() -> None:
    """`threading` is for the lock of `control` alone."""
    for path in ROOT.rglob("*.py"):
        roots: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                roots |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                roots.add((node.module or "").partition(".")[0])
        assert roots - {"types"} <= PURE, path
        assert "threading" not in roots or path.name == "control.py", path


def test_the_loop_fits_its_bound() -> None:
    """The loop is read on a page or two (agent-core contract, shape)."""
    assert len((ROOT / "loop.py").read_text().splitlines()) < LOOP_LINES
