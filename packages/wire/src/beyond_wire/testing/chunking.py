"""Every way to cut bytes into chunks that a parser must not notice."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def whole(data: bytes) -> list[bytes]:
    """One chunk; none when there are no bytes."""
    return [data] if data else []


def byte_by_byte(data: bytes) -> list[bytes]:
    """One chunk for each byte."""
    return [data[at : at + 1] for at in range(len(data))]


def by_size(data: bytes, size: int) -> list[bytes]:
    """Chunks of `size` bytes, the last one shorter."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def every_single_cut(data: bytes) -> Iterator[list[bytes]]:
    """Each way to make two chunks, in order of the cut; both are non-empty."""
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]


def random_cuts(data: bytes, *, seed: int, ways: int = 20, pieces: int = 8) -> Iterator[list[bytes]]:
    """Yield `ways` random cuts into at most `pieces` chunks, empty ones included; the same ones for the same seed."""
    source = random.Random(seed)  # noqa: S311  repeatable cuts, not secrets
    for _ in range(ways):
        cuts = sorted(source.randint(0, len(data)) for _ in range(pieces - 1))
        yield [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def every_way(data: bytes, *, seed: int = 0) -> Iterator[list[bytes]]:
    """Whole, byte by byte, every single cut, and seeded random cuts."""
    yield whole(data)
    yield byte_by_byte(data)
    yield from every_single_cut(data)
    yield from random_cuts(data, seed=seed)
