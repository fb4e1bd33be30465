"""Calls of tools as a person sees them."""

from __future__ import annotations

from typing import Any

import pytest

from beyond_agent.job.show_calls import MOST_ABOUT, Call, heading


@pytest.mark.parametrize(
    ("name", "given", "shown"),
    [
        ("grep", {"pattern": "def add", "path": "."}, "grep  def add"),
        ("find", {"path": "src", "pattern": "*.py"}, "find  *.py"),
        ("logs", {"app": "shop", "query": "error"}, "logs  error"),
        ("edit", {"path": "p.py", "edits": []}, "edit  p.py"),
        ("bash", {"command": "make\n  test", "cwd": "/"}, "bash  make test"),
        ("ls", {}, "ls"),
    ],
)
def test_a_call_is_headed_by_what_tells_most_of_it(name: str, given: dict[str, Any], shown: str) -> None:
    """What is searched for goes before where."""
    assert heading(Call(name, given, 0.0)).plain == shown


def test_a_long_call_is_cut_with_a_mark() -> None:
    """A command that goes on does not look like one that ends there."""
    assert heading(Call("bash", {"command": "x" * MOST_ABOUT}, 0.0)).plain == "bash  " + "x" * MOST_ABOUT
    cut = heading(Call("bash", {"command": "x" * (MOST_ABOUT + 1)}, 0.0)).plain
    assert cut == "bash  " + "x" * (MOST_ABOUT - 1) + "…"
