from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_agent.policy.summary import MOST, shortened, summary_of


@pytest.mark.parametrize(
    ("name", "given_input", "path", "expected"),
    [
        ("bash", {"command": "ls -l"}, None, "bash: ls -l"),
        ("bash", {"command": "ls\nrm x"}, None, r"bash: ls\nrm x"),
        ("bash", {"command": "make", "cwd": "sub"}, None, "bash: make (in sub)"),
        ("write", {"path": "a", "content": "abc"}, "/w/a", "write: /w/a (3 characters)"),
        ("edit", {"old_string": "a", "new_string": "b"}, "/w/a", 'edit: /w/a ("a" becomes "b")'),
        (
            "edit",
            {"edits": [{"old_string": "a", "new_string": "b"}, {}]},
            "/w/a",
            'edit: /w/a ("a" becomes "b" and 1 more)',
        ),
        ("edit", {"edits": "odd"}, "/w/a", "edit: /w/a"),
        ("edit", {"edits": ["odd"]}, "/w/a", "edit: /w/a"),
        ("fork", {"app": "x"}, None, 'fork: {"app":"x"}'),
        ("sync", {}, None, "sync"),
        ("odd", {"a": "\ud800"}, None, r"odd: {'a': '\ud800'}"),
    ],
)
def test_a_call_is_told_in_a_line(name: str, given_input: dict[str, Any], path: str | None, expected: str) -> None:
    """What it runs, or what it writes and where."""
    assert summary_of(name, given_input, path) == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\rb\x08\x7f", r"a\rb\x08\x7f"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u202eb\u2066", r"a\u202eb\u2066"),
        ("a\u200bb\u2028\ufeff", r"a\u200bb\u2028\ufeff"),
        ("\ud83d", r"\ud83d"),
        ("tag \U000e0041", r"tag \U000e0041"),
        ("é漢😀", "é漢😀"),
    ],
)
def test_what_could_draw_or_hide_is_escaped(text: str, shown: str) -> None:
    """Escape sequences, controls, and characters that turn or hide others."""
    assert shortened(text) == shown


def test_a_long_command_keeps_both_ends() -> None:
    """Nothing can hide behind a long beginning."""
    text = shortened("start" + "x" * 10_000 + "; rm -rf /")
    assert len(text) == MOST
    assert text.startswith("startx")
    assert text.endswith("x; rm -rf /")
    assert " … [10015 characters] … " in text
    assert len(shortened("x" * 400)) == 400
    assert "…" not in shortened("x" * 400)
    assert len(shortened("\x1b" * 1000)) == len(shortened("\x1b" * 101)) == MOST


@given(st.text(st.characters(), min_size=0, max_size=1200))
def test_no_text_is_longer_or_draws(text: str) -> None:
    """At most 400 characters, none of them a control, a direction mark or half of a pair."""
    shown = shortened(text)
    assert len(shown) <= MOST
    assert not {unicodedata.category(each) for each in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not any(
        unicodedata.bidirectional(each) in {"RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI"}
        for each in shown
    )
    shown.encode()
