"""Where a body ends: by length, in chunks, with the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_gateway.framing import ChunkedReader, CloseReader, FramingError, LengthReader, chunk, passed_on

if TYPE_CHECKING:
    from collections.abc import Callable

BODY = b"5;name=value\r\nhello\r\n1\r\n!\r\n00A\r\n0123456789\r\n0\r\n"
PAYLOAD = b"hello!0123456789"


def take(data: list[bytes], trailers: Callable[[bytes], bytes] = bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Feed pieces; return payload, passed-on bytes, trailers and what stands behind the body."""
    reader = ChunkedReader()
    payload: list[bytes] = []
    out = b""
    for number, piece in enumerate(data):
        stop = reader.feed(piece, 0, payload)
        out += passed_on(reader, piece, 0, stop, trailers)
        if reader.done:
            rest = piece[stop:] + b"".join(data[number + 1 :])
            return b"".join(payload), out, reader.trailers, rest
    raise AssertionError("the body did not end")


def test_chunked_whole() -> None:
    """A chunked body gives its payload and passes byte for byte."""
    assert take([BODY + b"\r\n"]) == (PAYLOAD, BODY + b"\r\n", b"", b"")


@pytest.mark.parametrize("tail", [b"", b"GET / HTTP/1.1\r\n"])
@pytest.mark.parametrize("trailers", [b"", b"X-Sum: 1\r\n", b"a: 1\r\nb:\r\n"])
def test_chunked_at_every_cut(trailers: bytes, tail: bytes) -> None:
    """Any single cut gives the same payload, the same passed-on bytes and the same rest."""
    data = BODY + trailers + b"\r\n" + tail
    for cut in range(1, len(data)):
        assert take([data[:cut], data[cut:]]) == (PAYLOAD, BODY + trailers + b"\r\n", trailers, tail), cut


def test_chunked_byte_by_byte() -> None:
    """One byte at a time gives the same as the whole."""
    data = BODY + b"T: v\r\n\r\n"
    assert take([bytes([byte]) for byte in data]) == (PAYLOAD, data, b"T: v\r\n", b"")


def test_trailers_are_dropped_where_asked() -> None:
    """Without trailers the body still ends validly."""
    for cut in range(1, len(BODY) + 8):
        data = BODY + b"T: v\r\n\r\n"
        assert take([data[:cut], data[cut:]], trailers=lambda _: b"")[1] == BODY + b"\r\n"


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.data())
def test_any_chunking_of_any_body(pieces: list[bytes], data: st.DataObject) -> None:
    """Whatever the chunks and the cuts, payload and raw bytes come out as they went in."""
    raw = b"".join(chunk(piece) for piece in pieces) + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=6)))
    parts = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert take(parts)[:2] == (b"".join(pieces), raw)


@pytest.mark.parametrize(
    "bad",
    [
        b"5\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"-1\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nhello\r\n0\r\n\r\n",
        b"g\r\n",
        b"\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\rX0\r\n\r\n",
        b"5;a\x00b\r\nhello\r\n0\r\n\r\n",
        b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFF\r\n",
        b"1" * 5000,
        b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
        b"0\r\nbad trailer\r\n\r\n",
        b"0\r\nX: 1\nY: 2\r\n\r\n",
        b"0\r\n X: 1\r\n\r\n",
        b"0\r\nX: " + b"a" * 20000,
    ],
)
def test_ambiguous_chunks_are_refused(bad: bytes) -> None:
    """A size line, chunk end or trailer that two parsers could read differently is an error, whole or byte by byte."""
    for pieces in ([bad], [bytes([byte]) for byte in bad]):
        with pytest.raises(FramingError):
            take(pieces)


def test_chunked_memory_is_bounded() -> None:
    """Of a gigantic chunk nothing is held back."""
    reader = ChunkedReader()
    payload: list[bytes] = []
    reader.feed(b"FFFFFFF\r\n", 0, payload)
    for _ in range(10):
        payload.clear()
        assert reader.feed(b"x" * 65536, 0, payload) == 65536
        assert payload == [b"x" * 65536]


def test_length() -> None:
    """A declared length ends the body there and leaves the rest."""
    reader = LengthReader(5)
    payload: list[bytes] = []
    assert reader.feed(b"abc", 0, payload) == 3
    assert not reader.done
    assert reader.feed(b"xdeGET", 1, payload) == 3
    assert reader.done
    assert payload == [b"abc", b"de"]


def test_length_zero_is_done_at_once() -> None:
    """An empty body needs no byte."""
    assert LengthReader(0).done


def test_until_close_takes_everything() -> None:
    """Only the connection's end ends such a body."""
    reader = CloseReader()
    payload: list[bytes] = []
    assert reader.feed(b"head+body", 5, payload) == 9
    assert payload == [b"body"]
    assert not reader.done


def test_an_empty_chunk_is_never_written() -> None:
    """An empty payload makes no chunk, because an empty chunk ends a body."""
    assert chunk(b"") == b""
    assert chunk(b"abc") == b"3\r\nabc\r\n"
