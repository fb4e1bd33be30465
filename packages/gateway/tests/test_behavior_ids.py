"""Every promise in docs/behavior has an id of its own and names tests that exist."""

from __future__ import annotations

import ast
import re
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted((ROOT / "docs" / "behavior").glob("*.md"))
TESTS = sorted(ROOT.glob("packages/*/tests/**/test_*.py"))

LINE = re.compile(r"- `(?P<id>[^`]+)` (?P<text>.+[.]) \(tests: (?P<tests>[^()]+)\)")
ID = re.compile(r"(?P<group>[a-z]+-[a-z]+)-(?P<number>[1-9][0-9]*)")
CITED = re.compile(r"\b(?:agent|gw|loop|serve|wire)-[a-z]+-[1-9][0-9]*\b")


class Promise(NamedTuple):
    id: str
    tests: list[str]


def promises(text: str) -> list[Promise]:
    """The promises of a document; a list item that is no promise fails."""
    found: list[Promise] = []
    for line in text.splitlines():
        if line.startswith("- "):
            match = LINE.fullmatch(line)
            assert match is not None, f"not of the form `- `id` sentence. (tests: file.py::name)`: {line}"
            found.append(Promise(match["id"], match["tests"].split(", ")))
    return found


def misplaced(ids: list[str]) -> list[str]:
    """The ids that break the numbering: each group stands together and counts from 1 without a gap."""
    wrong: list[str] = []
    seen: set[str] = set()
    group, last = "", 0
    for id_ in ids:
        match = ID.fullmatch(id_)
        if match is None:
            wrong.append(id_)
            continue
        if match["group"] != group:
            group, last = match["group"], 0
            wrong += [id_] if group in seen else []
            seen.add(group)
        wrong += [id_] if int(match["number"]) != last + 1 else []
        last = int(match["number"])
    return wrong


def names(paths: list[Path]) -> set[str]:
    """`file.py::test_name` of every test function in these files, read without importing them."""
    return {
        f"{path.name}::{node.name}"
        for path in paths
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_ids_are_unique_and_in_order(document: Path) -> None:
    """A document has promises, its groups stand together, and each counts from 1 without a gap."""
    ids = [promise.id for promise in promises(document.read_text("utf-8"))]
    assert ids
    assert misplaced(ids) == []


def test_no_two_documents_share_a_group() -> None:
    """An id names one sentence of one document."""
    groups = [{promise.id.rpartition("-")[0] for promise in promises(path.read_text("utf-8"))} for path in DOCUMENTS]
    assert sum(map(len, groups)) == len(set(chain.from_iterable(groups)))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_promise_names_tests_that_exist(document: Path) -> None:
    """A promise whose test was renamed or deleted fails here, by its id."""
    known = names(TESTS)
    gone = [(p.id, test) for p in promises(document.read_text("utf-8")) for test in p.tests if test not in known]
    assert gone == []


def test_no_test_cites_an_id_that_is_gone() -> None:
    """An id in a test's text is one of a promise that still stands."""
    kept = {promise.id for path in DOCUMENTS for promise in promises(path.read_text("utf-8"))}
    own = Path(__file__)
    cited = {(path.name, id_) for path in TESTS if path != own for id_ in CITED.findall(path.read_text("utf-8"))}
    assert sorted(where for where in cited if where[1] not in kept) == []


@pytest.mark.parametrize(
    ("ids", "wrong"),
    [
        (["gw-a-1", "gw-a-2", "gw-b-1"], []),
        (["gw-a-1", "gw-a-1"], ["gw-a-1"]),
        (["gw-a-2"], ["gw-a-2"]),
        (["gw-a-1", "gw-a-3"], ["gw-a-3"]),
        (["gw-a-1", "gw-b-1", "gw-a-1"], ["gw-a-1"]),
        (["gw-a-01", "a-1", "gw-a-1"], ["gw-a-01", "a-1"]),
    ],
)
def test_what_breaks_the_numbering_is_named(ids: list[str], wrong: list[str]) -> None:
    """Repeated, missing, scattered and misspelt ids are found."""
    assert misplaced(ids) == wrong


@pytest.mark.parametrize("line", ["- a promise.", "- `gw-a-1` without a test.", "- `gw-a-1` x. (tests: )"])
def test_a_promise_without_id_or_test_is_refused(line: str) -> None:
    """Each list item of a document is a promise in full."""
    with pytest.raises(AssertionError):
        promises(f"# Promises\n\n{line}\n")
