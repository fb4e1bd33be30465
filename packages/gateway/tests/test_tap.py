"""Tap: first 8 KiB, last 64 KiB, counts of what lay between, in bounded memory."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_gateway.tap import HEAD_BYTES, TAIL_BYTES, Tap
from beyond_wire import DeltaCounter

DELTA = b'data: {"choices":[{"index":0,"delta":{"content":"word %06d"}}]}\n\n'
BOUND = 88 << 10


def stream(events: int) -> bytes:
    return b"".join(DELTA % number for number in range(events))


def fed(body: bytes, step: int, *, encoding: str = "", sse: bool = True) -> Tap:
    tap = Tap(dialect="openai", sse=sse, encoding=encoding)
    for at in range(0, len(body), step):
        tap.feed(body[at : at + step])
    return tap


@pytest.mark.parametrize("size", [0, 1, 100, HEAD_BYTES, TAIL_BYTES - 1, TAIL_BYTES, TAIL_BYTES + 1, 90_000, 400_000])
@pytest.mark.parametrize("step", [1, 125, 16_384, 16_385, 100_000, 1_000_000])
def test_head_and_tail_are_the_ends_of_the_body(size: int, step: int) -> None:
    """For any length and chunking: the first 8 KiB, the last 64 KiB, and whether they are all."""
    body = (bytes(range(251)) * (size // 251 + 1))[:size]
    tap = fed(body, step, sse=False)
    assert tap.head == body[:HEAD_BYTES]
    assert tap.tail() == body[-TAIL_BYTES:]
    assert tap.tail() is tap.tail()
    assert tap.total == size
    assert tap.whole is (size <= TAIL_BYTES)
    assert tap.delta_counts() == (0, 0)


def test_asking_in_between_changes_nothing() -> None:
    """`head` and `tail` may be read while the body still passes."""
    body = stream(3000)
    tap = Tap(dialect="openai", sse=True)
    for at in range(0, len(body), 997):
        tap.feed(body[at : at + 997])
        so_far = body[: at + 997]
        assert (tap.head, tap.tail()) == (so_far[:HEAD_BYTES], so_far[-TAIL_BYTES:])
    assert tap.delta_counts() == (3000, 3000 * 11)


@settings(deadline=None)
@given(
    events=st.integers(0, 2500),
    cut=st.integers(0, 200),
    steps=st.lists(st.integers(40, 70_000), min_size=1, max_size=5),
)
def test_counts_are_those_of_the_whole_stream(events: int, cut: int, steps: list[int]) -> None:
    """What left the tail and what is still held are counted once, however the stream was cut."""
    body = stream(events)[: max(events * 68 - cut, 0)]
    counter = DeltaCounter("openai")
    counter.feed(body)
    tap = Tap(dialect="openai", sse=True)
    at = 0
    for number in range(len(body)):
        if at >= len(body):
            break
        step = steps[number % len(steps)]
        tap.feed(body[at : at + step])
        at += step
    assert tap.delta_counts() == (counter.events, counter.text_bytes)
    assert tap.delta_counts() == (counter.events, counter.text_bytes)


@pytest.mark.parametrize("step", [1, 50, 125, 4096, 65_536, 300_000])
def test_memory_is_bounded(step: int) -> None:
    """A megabyte leaves at most 88 KiB in memory, whatever the chunks."""
    body = bytes(1 << 20)[: 200_000 if step == 1 else None]
    tap = Tap(dialect="openai", sse=False)
    most = 0
    for at in range(0, len(body), step):
        tap.feed(body[at : at + step])
        if at % 7 == 0:
            most = max(most, tap.held_bytes)
    assert TAIL_BYTES <= most <= BOUND


def test_a_short_stream_is_never_counted_while_it_passes() -> None:
    """Counting begins with what leaves the tail: below 64 KiB a stream pays nothing for it."""
    tap = fed(stream(900), 125)
    assert tap._counter is None  # pyright: ignore[reportPrivateUsage]  - the cost is the behaviour under test
    assert tap.delta_counts()[0] == 900
    assert fed(stream(1300), 125)._counter is not None  # pyright: ignore[reportPrivateUsage]  - as above


@pytest.mark.parametrize("step", [1, 100, 1_000_000])
def test_a_compressed_body_is_kept_decoded(step: int) -> None:
    """Head, tail and counts are those of the decoded body, `total` that of the payload."""
    body = stream(5000)
    packed = gzip.compress(body)
    tap = fed(packed, step, encoding="gzip")
    assert (tap.head, tap.tail()) == (body[:HEAD_BYTES], body[-TAIL_BYTES:])
    assert tap.delta_counts() == (5000, 5000 * 11)
    assert tap.total == len(packed)
    assert tap.readable
    assert tap.held_bytes <= BOUND


@pytest.mark.parametrize(
    ("encoding", "body"), [("br", b"\x8b\x00"), ("gzip", b"no"), ("gzip", gzip.compress(bytes(64 << 20)))]
)
def test_a_body_that_cannot_be_decoded_shows_nothing(encoding: str, body: bytes) -> None:
    """An unknown coding, damage or a bomb: no bytes to read usage from, and not readable."""
    tap = fed(body, 4096, encoding=encoding)
    assert not tap.readable
    assert (tap.head, tap.tail(), tap.delta_counts()) == (b"", b"", (0, 0))
    assert tap.total == len(body)
    assert fed(b"ab", 1, encoding="identity").tail() == b"ab"
