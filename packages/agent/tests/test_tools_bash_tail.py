from __future__ import annotations

import random

import pytest

from beyond_agent.tools.bash_tail import OutputTail, Shown
from beyond_agent.tools.text import MOST_BYTES, MOST_LINES


def shown(text: str, piece_bytes: int = 4096) -> Shown:
    tail = OutputTail()
    raw = text.encode()
    for start in range(0, len(raw), piece_bytes):
        tail.add(raw[start : start + piece_bytes])
    found = tail.shown()
    assert tail.cut == (found.cut_by is not None)
    return found


def numbered(count: int, width: int = 0) -> str:
    return "".join(f"{number:0{width}}\n" for number in range(1, count + 1))


@pytest.mark.parametrize(
    ("text", "tail", "lines"),
    [
        ("", "", 0),
        ("a", "a", 1),
        ("a\n", "a", 1),
        ("a\n\n", "a\n", 2),
        ("\n", "", 1),
        ("a\nb", "a\nb", 2),
        (numbered(2000), numbered(2000)[:-1], 2000),
        ("x" * MOST_BYTES, "x" * MOST_BYTES, 1),
        ("x" * MOST_BYTES + "\n", "x" * MOST_BYTES, 1),
    ],
)
def test_short_output_is_whole(text: str, tail: str, lines: int) -> None:
    """Within the bounds all is shown but the last newline."""
    found = shown(text)
    assert (tail, lines, None, None) == (found.text, found.total_lines, found.cut_by, found.details)


@pytest.mark.parametrize(
    ("text", "tail", "extent"),
    [
        (numbered(2001), numbered(2001)[2:-1], "Showing lines 2-2001 of 2001"),
        (numbered(5000) + "end", numbered(5000)[13_898:] + "end", "Showing lines 3002-5001 of 5001"),
        ("\n" * 60_000, "\n" * 1999, "Showing lines 58001-60000 of 60000"),
        (numbered(600, 99), numbered(600, 99)[8_800:-1], "Showing lines 89-600 of 600 (50.0KB limit)"),
        (numbered(600, 100), numbered(600, 100)[9_494:-1], "Showing lines 95-600 of 600 (50.0KB limit)"),
        ("x" * 51_201, "x" * 51_200, "Showing last 50.0KB of line 1 (line is 50.0KB)"),
        ("a\n" + "x" * 300_000 + "\n", "x" * 51_200, "Showing last 50.0KB of line 2 (line is 293.0KB)"),
        ("\u4e00" * 20_000, "\u4e00" * 17_066, "Showing last 50.0KB of line 1 (line is 58.6KB)"),
        ("x" * 60_000 + "\nend", "end", "Showing lines 2-2 of 2 (50.0KB limit)"),
    ],
)
@pytest.mark.parametrize("piece_bytes", [7, 4096, 1_000_000])
def test_long_output_keeps_its_tail(text: str, tail: str, extent: str, piece_bytes: int) -> None:
    """The last 2000 lines or 50 KiB of whole lines are shown, of a line that is longer its end; the notice counts."""
    found = shown(text, piece_bytes)
    assert tail == found.text
    assert extent == found.extent


def test_tails_agree_with_a_plain_reckoning() -> None:
    """Random output in random pieces gives the tail that the whole of it has."""
    chance = random.Random(5)  # noqa: S311 - the same tails each time
    for _ in range(60):
        longest = chance.choice((3, 40, 400, 60_000))
        text = "".join(
            "ä" * chance.randrange(longest) + "\n" for _ in range(chance.randrange(1, 120_000 // longest + 2))
        )
        text += chance.choice(("", "rest"))
        found = shown(text, chance.choice((1000, 16_384, 300_000)))
        lines = text.removesuffix("\n").split("\n")
        assert len(lines) == found.total_lines
        assert len(text.encode()) == found.total_bytes
        if found.partial:
            assert len(lines[-1].encode()) == found.line_bytes > MOST_BYTES
            assert lines[-1].endswith(found.text)
            assert MOST_BYTES - 4 < len(found.text.encode()) <= MOST_BYTES
            continue
        assert "\n".join(lines[-found.lines :]) == found.text
        assert found.lines == min(MOST_LINES, len(lines)) or fits_not("\n".join(lines[-found.lines - 1 :]))


def fits_not(text: str) -> bool:
    return len(text.encode()) > MOST_BYTES


def test_details_tell_of_a_cut() -> None:
    """A watcher is told what has cut the output and how much of it there is."""
    assert shown(numbered(2001)).details == {
        "truncated_by": "lines",
        "total_lines": 2001,
        "total_bytes": 8898,
        "output_lines": 2000,
        "output_bytes": 8895,
        "last_line_partial": False,
    }
