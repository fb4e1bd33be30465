from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_agent.tools.terminal_text import HELD_BYTES, TerminalText


def cleaned(*pieces: bytes) -> bytes:
    terminal = TerminalText()
    return b"".join(terminal.feed(piece) for piece in pieces) + terminal.end()


CASES = [
    ("plain text\n\tand a tab", "plain text\n\tand a tab"),
    ("\x1b[1;31mred\x1b[0m", "red"),
    ("\x1b[38:2::1:2:3mx\x1b[?25lx\x1b[2 qx", "xxx"),
    ("\x1b]0;title\x07a\x1b]8;;http://a\x1b\\b\x1b]8;;\x1b\\", "ab"),
    ("\x1bPq#0\x1b\\a\x1b_x\x1b\\b\x1b^y\x1b\\c\x1bXz\x1b\\d", "abcd"),
    ("\x1b(Ba\x1b)0b\x1b#8c\x1b=d\x1b>e\x1b7f\x1b8g\x1bMh\x1bci", "abcdefghi"),
    ("a\r\nb\rc\bd\x07e\x00f\x7fg\x0bh", "a\nbcdefgh"),
    ("\u009b1m\u0085x", "1mx"),
    ("ä\u4e00\U0001f600\u2028é", "ä\u4e00\U0001f600\u2028é"),
    ("\u00a0Â", "\u00a0Â"),
    ("\x1b[31", "[31"),
    ("end\x1b", "end"),
    ("\x1b[31\nx", "[31\nx"),
    ("\x1b\x1b[1mx", "x"),
    ("\x1b]0;no end", "]0;no end"),
    ("", ""),
]


@pytest.mark.parametrize(("printed", "text"), CASES)
def test_sequences_and_controls_are_taken_out(printed: str, text: str) -> None:
    """Escape sequences and control characters but tab and newline are gone, all other text stays."""
    assert text == cleaned(printed.encode()).decode()


@pytest.mark.parametrize(("printed", "text"), CASES)
def test_pieces_make_no_difference(printed: str, text: str) -> None:
    """A piece may end within a sequence or a character, and pieces may be single bytes."""
    whole = printed.encode()
    assert text == cleaned(*(whole[at : at + 1] for at in range(len(whole)))).decode()
    for cut in range(len(whole)):
        assert text == cleaned(whole[:cut], whole[cut:]).decode()


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        (b"a\xffb", "a\ufffdb"),
        (b"\xc3", "\ufffd"),
        (b"\xe4\xb8", "\ufffd"),
        (b"caf\xe9 x", "caf\ufffd x"),
        (b"\x9b1mx", "\ufffd1mx"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
    ],
)
def test_other_bytes_become_marks(printed: bytes, text: str) -> None:
    """Bytes that are not UTF-8 become U+FFFD."""
    assert text == cleaned(printed).decode()
    assert text == cleaned(*(bytes([byte]) for byte in printed)).decode()


SOUP = st.lists(
    st.sampled_from([b"\x1b", b"[", b"]", b"0;", b"31m", b"\x07", b"\\", b"P", b"(", b"B", b"\xc2", b"\x9b", b"\xe4"])
    | st.binary(max_size=4),
    max_size=40,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(SOUP, st.lists(st.integers(0, 120)))
def test_any_bytes_in_any_pieces(printed: bytes, cuts: list[int]) -> None:
    """Whatever is printed, the text is UTF-8 without controls, and the same however it was cut."""
    text = cleaned(printed)
    assert not any(ord(character) < 0x20 and character not in "\t\n" for character in text.decode())
    assert not any(0x7F <= ord(character) < 0xA0 for character in text.decode())
    bounds = [0, *sorted(cut for cut in cuts if cut < len(printed)), len(printed)]
    assert text == cleaned(*(printed[start:end] for start, end in pairwise(bounds)))


def test_what_is_held_back_is_bounded() -> None:
    """A control string that does not end is given out as text once it is longer than any is."""
    terminal = TerminalText()
    given_out = b"".join(terminal.feed(b"\x1b]" if at == 0 else b"x" * 100) for at in range(100))
    assert len(given_out) > 9_900 - HELD_BYTES - 200
    assert given_out + terminal.end() == b"]" + b"x" * 9_900
