"""Ids, titles and names of files."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from beyond_agent.sessions.naming import clean_title, file_name, id_in, new_session_id, one_line, stamp, title_from

NOON = datetime(2026, 1, 2, 12, 0, 0, 7999, UTC)


def test_times_and_ids() -> None:
    """A stamp has milliseconds and sorts as text; an id begins with its time."""
    assert stamp(NOON) == "2026-01-02T12:00:00.007Z"
    assert new_session_id(NOON, lambda size: b"\xab" * size) == f"sess_{int(NOON.timestamp() * 1000):012x}ababababab"


@pytest.mark.parametrize(
    ("name", "session_id"),
    [
        (file_name(stamp(NOON), "sess_1"), "sess_1"),
        ("2026_a_b.jsonl", "a_b"),
        ("2026_a.jsonl.lease", ""),
        ("a.jsonl", ""),
        (".2026_a.jsonl", ""),
        ("2026_a", ""),
    ],
)
def test_an_id_in_a_name(name: str, session_id: str) -> None:
    """The id stands between the first `_` and the ending; other names have none."""
    assert id_in(name) == session_id


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("Mend it", "Mend it"),
        ("\n \n  Mend\tit  \nand more", "Mend it"),
        ("", ""),
        (" \n\x00\x1b\n", ""),
        ("a\u2028b", "a"),
        ("x" * 81, "x" * 79 + "…"),
        ("x" * 80, "x" * 80),
        ("a\ud800b\u200f", "a b\u200f"),
    ],
)
def test_a_title_is_the_first_line_that_says_something(prompt: str, title: str) -> None:
    """It is one line of at most 80 characters, without controls."""
    assert title_from(prompt) == title


def test_a_given_title_is_one_line() -> None:
    """Controls and line ends become blanks, and at most 200 characters stay."""
    assert clean_title(" a\r\nb\x07 c\x9f ") == "a b c"
    assert len(clean_title("y" * 500)) == 200
    assert one_line("word word", 6) == "word…"
