"""What fuzzing has kept, a little damaged: new bytes for every target in each run, without the fuzzer.

`FUZZ_EXAMPLES` makes the search longer: `make fuzz` sets it, the ordinary run takes a few seconds.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest
from fuzz.targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

CORPUS = Path(__file__).parents[3] / "fuzz" / "corpus"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
WORDS = [b"\r\n", b"\n", b"\r", b" ", b":", b";", b'"', b"\\", b"{", b"}", b"[", b",", b"\xff", b"\x00", b"0", b"%2f"]


@cache
def kept(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


@st.composite
def damaged(draw: st.DrawFn, name: str) -> bytes:
    """Draw a kept input, with the end of another one behind it, and a few bytes cut out, doubled or replaced."""
    data = draw(st.sampled_from(kept(name)))
    if draw(st.booleans()):
        other = draw(st.sampled_from(kept(name)))
        data = data[: draw(st.integers(0, len(data)))] + other[draw(st.integers(0, len(other))) :]
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.integers(0, 20)))
        put = draw(st.sampled_from(WORDS) | st.binary(max_size=4) | st.just(data[start:stop] * 2))
        data = data[:start] + put + data[stop:]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_a_damaged_input_breaks_nothing(name: str) -> None:
    """Near every kept input lie others that are accepted or refused as promised."""

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(damaged(name))
    def holds(data: bytes) -> None:
        TARGETS[name](data)

    holds()
