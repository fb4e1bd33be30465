"""Which module may know which: pure modules do no I/O, wire knows no gateway, nothing imports in a circle."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import pytest

DOES_IO = {"asyncio", "socket", "ssl", "os", "time", "random", "subprocess", "select", "signal"}
IO = {
    "beyond_gateway.__main__",
    "beyond_gateway.app",
    "beyond_gateway.cli.deny",
    "beyond_gateway.cli.dev",
    "beyond_gateway.cli.doctor",
    "beyond_gateway.cli.keys",
    "beyond_gateway.client_protocol",
    "beyond_gateway.deny.bucket",
    "beyond_gateway.deny.follow",
    "beyond_gateway.deny.nats_client",
    "beyond_gateway.deny.snapshot",
    "beyond_gateway.deny.watch",
    "beyond_gateway.dialer",
    "beyond_gateway.doctor.bounded",
    "beyond_gateway.doctor.deny_store",
    "beyond_gateway.doctor.examine",
    "beyond_gateway.doctor.listeners",
    "beyond_gateway.doctor.providers",
    "beyond_gateway.doctor.reasons",
    "beyond_gateway.gateway",
    "beyond_gateway.host.child",
    "beyond_gateway.host.limits",
    "beyond_gateway.host.notify",
    "beyond_gateway.host.sockets",
    "beyond_gateway.host.start",
    "beyond_gateway.host.supervisor",
    "beyond_gateway.metrics.listener",
    "beyond_gateway.metrics.process",
    "beyond_gateway.mock.__main__",
    "beyond_gateway.mock.connection",
    "beyond_gateway.mock.server",
    "beyond_gateway.upstream_protocol",
    "beyond_gateway.usage_rows",
    "beyond_gateway.wall_clock",
}
"""Modules that touch sockets, files, processes or clocks; all others take values and return values."""


def modules(package: str) -> dict[str, Path]:
    """Every module of a package by its dotted name."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    found: dict[str, Path] = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join((package, *parts)).removesuffix(".__init__")
        found[name] = path
    return found


class Imports(ast.NodeVisitor):
    """Names that a module imports at run time; `at_once` those of its top level, which decide about circles."""

    def __init__(self) -> None:
        self.all: set[str] = set()
        self.at_once: set[str] = set()
        self._depth = 0

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in node.orelse:
                self.visit(other)
        else:
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the name that ast calls

    def visit_Import(self, node: ast.Import) -> None:
        self._add({name.name for name in node.names})

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        assert node.level == 0, "imports are absolute"
        assert node.module
        self._add({f"{node.module}.{name.name}" for name in node.names})

    def _add(self, names: set[str]) -> None:
        self.all |= names
        if not self._depth:
            self.at_once |= names


def imports(path: Path) -> Imports:
    found = Imports()
    found.visit(ast.parse(path.read_text("utf-8")))
    return found


GATEWAY, WIRE = modules("beyond_gateway"), modules("beyond_wire")


@pytest.mark.parametrize("name", sorted(GATEWAY))
def test_only_listed_modules_do_io(name: str) -> None:
    """A module imports what does I/O if and only if the list says so; a needless entry fails too."""
    does = {found.partition(".")[0] for found in imports(GATEWAY[name]).all} & DOES_IO
    assert bool(does) is (name in IO), f"{name} imports {sorted(does)}"


def test_the_list_names_modules_that_exist() -> None:
    """An entry whose module is gone is an entry too many."""
    assert set(GATEWAY) >= IO


@pytest.mark.parametrize("name", sorted(WIRE))
def test_wire_knows_no_gateway(name: str) -> None:
    """The wire package stands below: it imports nothing of the gateway and, but for its test kit, does no I/O."""
    roots = {found.partition(".")[0] for found in imports(WIRE[name]).all}
    assert "beyond_gateway" not in roots
    assert name.startswith("beyond_wire.testing") or not roots & DOES_IO


def test_nothing_imports_in_a_circle() -> None:
    """The run-time imports of both packages have an order."""
    known = GATEWAY | WIRE
    graph: dict[str, set[str]] = {}
    for name, path in known.items():
        # `from package import name` needs the module of that name, or the package that defines it.
        found = imports(path).at_once
        graph[name] = {target if target in known else target.rpartition(".")[0] for target in found} & known.keys()
    assert len(list(TopologicalSorter(graph).static_order())) == len(known)
