"""Inflater: compressed bodies decoded on a copy, in bounded memory and to a bounded amount."""

import gzip
import zlib

import pytest

from beyond_gateway.inflate import MAX_BYTES, PIECE_BYTES, Inflater

BODY = b'data: {"usage":{"prompt_tokens":9}}\n\n' * 9000


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


CODINGS = [
    ("gzip", gzip.compress(BODY)),
    ("x-gzip", gzip.compress(BODY)),
    ("deflate", zlib.compress(BODY)),
    ("deflate", raw_deflate(BODY)),
    ("gzip", gzip.compress(BODY[:40_000]) + gzip.compress(BODY[40_000:])),
    ("gzip", gzip.compress(BODY) + bytes(64)),
]


@pytest.mark.parametrize(("encoding", "packed"), CODINGS)
@pytest.mark.parametrize("step", [1, 7, 1000, 10_000_000])
def test_any_chunking_decodes_to_the_body(encoding: str, packed: bytes, step: int) -> None:
    """gzip with several members or padding, and deflate with or without its header, come out in bounded pieces."""
    inflater = Inflater(encoding)
    pieces = [piece for at in range(0, len(packed), step) for piece in inflater.feed(packed[at : at + step])]
    assert b"".join(pieces) == BODY
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert not inflater.stopped


def test_output_that_fills_its_pieces_is_not_left_behind() -> None:
    """Wherever a body is cut, all that its bytes tell comes out, also when the last of it fills a piece."""
    packed = gzip.compress(bytes(4 * PIECE_BYTES + 99))
    for cut in range(len(packed)):
        there = zlib.decompressobj(31).decompress(packed[:cut])
        assert sum(map(len, Inflater("gzip").feed(packed[:cut]))) == len(there)


def test_a_cut_body_gives_what_was_there() -> None:
    """A body that ends early has decoded as far as it came."""
    inflater = Inflater("gzip")
    packed = gzip.compress(BODY)
    assert BODY.startswith(b"".join(inflater.feed(packed[:-40])))
    assert not inflater.stopped


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
def test_an_unknown_coding_decodes_to_nothing(encoding: str) -> None:
    """What cannot be decoded is stopped from the start."""
    inflater = Inflater(encoding)
    assert inflater.stopped
    assert list(inflater.feed(b"abc")) == []


@pytest.mark.parametrize(
    "packed",
    [
        b"not gzip at all",
        gzip.compress(BODY)[:30] + b"\xff" * 60,
        gzip.compress(BODY) + gzip.compress(BODY)[:-8] + bytes(8),
    ],
)
def test_broken_data_stops_decoding(packed: bytes) -> None:
    """Damage ends decoding for good; nothing is raised, and later bytes change nothing."""
    inflater = Inflater("gzip")
    list(inflater.feed(packed))
    assert inflater.stopped
    assert list(inflater.feed(gzip.compress(b"x"))) == []


def test_a_bomb_is_stopped_early() -> None:
    """64 MiB of zeros in 64 KiB stop at 200 bytes for each byte in, not at their end."""
    bomb = gzip.compress(bytes(64 << 20))
    inflater = Inflater("gzip")
    given = 0
    for at in range(0, len(bomb), 1024):
        given += sum(map(len, inflater.feed(bomb[at : at + 1024])))
    assert inflater.stopped
    assert 1 << 19 <= given <= 2 << 20
    assert given < MAX_BYTES


def test_the_total_is_bounded_below_the_ratio_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body of ordinary ratio stops at the total."""
    monkeypatch.setattr("beyond_gateway.inflate.MAX_BYTES", 100_000)
    inflater = Inflater("gzip")
    assert sum(map(len, inflater.feed(gzip.compress(BODY)))) <= 100_000
    assert inflater.stopped
