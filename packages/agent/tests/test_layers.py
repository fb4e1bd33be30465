"""Who may know whom: each folder imports what stands below it, and tools reach the machine through their seams only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import beyond_agent

ROOT = Path(beyond_agent.__file__).parent
ABOVE = {
    "machine": {"seams"},
    "tools": {"seams"},
    "sessions": {"redact"},
    "prompt": {"errors", "machine", "options", "places", "tools"},
    "policy": {"errors", "options", "tools"},
    "job": {"errors", "interrupts", "sessions", "tools"},
    "serve": {"errors", "harness", "interrupts", "redact", "seams", "sessions", "tools", "__version__"},
}
"""What the modules of a folder may import of this package, beside their own folder."""
FINDS_A_PROGRAM = "search_ripgrep"
"""The one module of `tools` that looks at the machine itself: for the program that it has the runner start."""
NAMES_ONLY = {"environ", "fsdecode", "fsencode", "path", "sep"}
"""What of `os` works on names and touches nothing; of `os.path`, see below."""
TOUCHING = {"exists", "isdir", "isfile", "islink", "lexists", "realpath", "getsize"}


def own_imports(path: Path) -> set[str]:
    """Return the parts of this package that a module imports, at its top or later."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "beyond_agent":
            found.add(node.module.split(".")[1] if "." in node.module else node.names[0].name)
    return found


@pytest.mark.parametrize("folder", ABOVE)
def test_a_folder_knows_only_what_is_below_it(folder: str) -> None:
    """An import that is not in the table turns the layers round."""
    for path in (ROOT / folder).glob("*.py"):
        assert own_imports(path) <= ABOVE[folder] | {folder}, path.name


@pytest.mark.parametrize("path", sorted((ROOT / "tools").glob("*.py")), ids=lambda path: path.stem)
def test_a_tool_reaches_the_machine_through_its_seams(path: Path) -> None:
    """Nothing here opens, lists, starts or asks the machine of a file."""
    if path.stem == FINDS_A_PROGRAM:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names}.isdisjoint({"subprocess", "shutil", "pathlib", "socket"})
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "open"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            assert node.attr in NAMES_ONLY, node.attr
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "path":
            assert node.attr not in TOUCHING, node.attr


def test_only_the_display_imports_rich() -> None:
    """Whoever runs in a pipe does not wait for it."""
    for path in ROOT.rglob("*.py"):
        if not path.name.startswith(("show_terminal", "show_calls")):
            roots = {
                (node.module or "").partition(".")[0]
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.ImportFrom)
            }
            assert "rich" not in roots, path
