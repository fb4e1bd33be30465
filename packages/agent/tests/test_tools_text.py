from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_agent.tools.text import LATIN_1_NOTE, BinaryContent, decode, size_text


@pytest.mark.parametrize(
    ("content", "text", "encoding"),
    [
        (b"", "", "utf-8"),
        ("é\n".encode(), "é\n", "utf-8"),
        (b"\xef\xbb\xbfa\r\n", "a\r\n", "utf-8"),
        (b"\xff\xfea\0\n\0", "a\n", "utf-16-le"),
        (b"\xfe\xff\0a\0\n", "a\n", "utf-16-be"),
        ("\ufeff𝄞".encode("utf-16-le"), "𝄞", "utf-16-le"),
        (b"caf\xe9", "café", "latin-1"),
        (b"\xef\xbb\xbf\xff", "ï»¿ÿ", "latin-1"),
        (b"\xff\xfea", "ÿþa", "latin-1"),
        (b"a" * 8192 + b"\0", "a" * 8192 + "\0", "utf-8"),
    ],
)
def test_text_is_utf_8_or_utf_16_with_a_mark_or_else_latin_1(content: bytes, text: str, encoding: str) -> None:
    """A file is decoded by its mark, as UTF-8 where it is that, and as Latin-1 with a note where it is not."""
    decoded = decode(content)
    assert (text, encoding) == (decoded.text, decoded.encoding)
    assert (LATIN_1_NOTE if encoding == "latin-1" else None) == decoded.note


@pytest.mark.parametrize(
    "content",
    [b"\0", b"a" * 8191 + b"\0", b"\xef\xbb\xbf\0", b"\xff\xfe\0\0a\0\0\0", b"\xff\xfe\0\xd8\0\0", b"\xff\xfe\0"],
)
def test_a_nul_in_the_first_8_kib_of_anything_but_utf_16_is_binary(content: bytes) -> None:
    """A NUL at the start of a file makes it binary, UTF-32 and broken UTF-16 among them."""
    with pytest.raises(BinaryContent):
        decode(content)


@settings(deadline=None)
@given(
    st.binary()
    | st.text().map(lambda text: text.encode("utf-16"))
    | st.text().map(lambda text: text.encode("utf-8-sig"))
)
def test_what_is_decoded_encodes_to_the_same_bytes(content: bytes) -> None:
    """Decoding loses no byte, whatever the file holds."""
    try:
        decoded = decode(content)
    except BinaryContent:
        return
    assert content == decoded.encode(decoded.text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1.0KB"),
        (51_200, "50.0KB"),
        (1024 * 1024 - 1, "1024.0KB"),
        (1024 * 1024, "1.0MB"),
        (5 * 1024**3, "5120.0MB"),
    ],
)
def test_sizes_are_shown_in_steps_of_1024(size: int, text: str) -> None:
    """A size is bytes, KB or MB with one decimal."""
    assert text == size_text(size)
