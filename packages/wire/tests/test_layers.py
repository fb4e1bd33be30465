"""The package is pure: its import graph holds no I/O, no clock and no cycle."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import beyond_wire

ROOT = Path(beyond_wire.__file__).parent
ALLOWED = {"__future__", "beyond_wire", "collections", "importlib", "msgspec", "re", "types", "typing"}
ALLOWED_IN_TESTING = ALLOWED | {"copy", "functools", "itertools", "json", "random"}


def _runs(node: ast.AST) -> list[ast.AST]:
    """The nodes below `node` but for what only type checkers read."""
    found: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            found += [child, *_runs(child)]
    return found


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in _runs(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            # Of the package itself whole modules are imported, which is no use of its root.
            whole = node.module == "beyond_wire" and path.name != "__init__.py"
            names |= {f"beyond_wire.{alias.name}" for alias in node.names} if whole else {node.module or ""}
    return names


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_modules_import_only_pure_parts() -> None:
    """Every module imports msgspec, this package and pure parts of the standard library only."""
    for path in ROOT.rglob("*.py"):
        allowed = ALLOWED_IN_TESTING if path.parent.name == "testing" else ALLOWED
        assert {name.partition(".")[0] for name in _imports(path)} <= allowed, path


def test_import_graph_has_no_cycle() -> None:
    """Modules import one another in one direction, and no module outside `testing` imports `testing`."""
    graph = {_module(path): {n for n in _imports(path) if n.startswith("beyond_wire")} for path in ROOT.rglob("*.py")}
    order = list(TopologicalSorter(graph).static_order())
    assert "beyond_wire.usage" in order
    for module, imported in graph.items():
        if ".testing" not in module:
            assert not [name for name in imported if ".testing" in name], module


def test_import_loads_no_io_and_starts_no_thread() -> None:
    """Importing the package in a fresh interpreter loads no I/O module beyond what msgspec loads, and no thread."""
    script = (
        "import sys, msgspec; before = set(sys.modules); import beyond_wire; new = set(sys.modules) - before;"
        "print(sorted(new & {'asyncio', 'socket', 'ssl', 'http', 'selectors', 'threading', 'subprocess', 'random'}));"
        "t = sys.modules.get('threading'); print(t.active_count() if t else 1)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "1"]
