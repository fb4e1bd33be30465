"""Resume or scan, trust or suspect: decided from two looks at a stream."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_gateway.deny.stream import Drift, Mark, StreamInfo, mark, parse_info, removed, resume_at, wall_seconds

CREATED = "2026-01-31T10:00:00.041983258Z"


def info(
    last_seq: int, messages: int, *, created: str = CREATED, subjects: int = 10**6, kept: int = 1, age: int = 0
) -> StreamInfo:
    """An answer to STREAM.INFO, with fields that nobody reads."""
    answer = {
        "type": "io.nats.jetstream.api.v1.stream_info_response",
        "config": {"name": "KV_b", "max_msgs_per_subject": kept, "max_age": age, "storage": "file"},
        "created": created,
        "state": {"messages": messages, "first_seq": 1, "last_seq": last_seq, "num_subjects": subjects},
        "ts": "2026-01-31T10:00:05Z",
    }
    return parse_info(json.dumps(answer).encode())


def test_a_refusal_is_read() -> None:
    """Without a stream there is an error with its code."""
    answer = parse_info(b'{"error":{"code":404,"err_code":10059,"description":"stream not found"}}')
    assert answer.error is not None
    assert answer.error.err_code == 10059
    with pytest.raises(msgspec.DecodeError):
        parse_info(b"no JSON")


@pytest.mark.parametrize(
    ("since", "now", "revision", "start"),
    [
        (Mark(CREATED, 10, 4), info(10, 4), 10, 11),
        (Mark(CREATED, 10, 4), info(12, 6), 10, 11),
        (Mark(CREATED, 10, 4), info(12, 6), 11, 12),
        (Mark(CREATED, 10, 4), info(12, 6), 8, 11),
        (Mark(CREATED, 10, 4), info(12, 5), 10, None),
        (Mark(CREATED, 10, 4), info(10, 3), 10, None),
        (Mark(CREATED, 10, 4), info(10, 0), 10, None),
        (Mark(CREATED, 10, 4), info(9, 4), 9, None),
        (Mark(CREATED, 10, 4), info(10, 4), 11, None),
        (Mark(CREATED, 10, 4), info(10, 4, created="2026-02-01T00:00:00Z"), 10, None),
        (Mark(CREATED, 0, 0), info(0, 0), 0, None),
        (Mark(CREATED, 0, 0), info(1, 1), 0, None),
        (None, info(10, 4), 10, None),
    ],
)
def test_a_watch_resumes_only_where_nothing_can_be_missing(
    since: Mark | None, now: StreamInfo, revision: int, start: int | None
) -> None:
    """The same stream, not gone back, nothing removed since, and something known of it: else a scan."""
    assert resume_at(since, now, revision) == start


SINCE = Mark(CREATED, 10, 4)


@pytest.mark.parametrize(
    ("now", "size", "suspect"),
    [
        (info(10, 4), 4, False),
        (info(12, 6), 6, False),
        (info(12, 4), 4, False),
        (info(12, 3), 3, True),
        (info(10, 3), 3, True),
        (info(12, 4, subjects=3), 4, True),
        (info(9, 3), 3, True),
        (info(10, 4, created="2026-02-01T00:00:00Z"), 4, True),
        (info(11, 2, kept=3), 2, False),
        (info(11, 1, kept=3), 1, True),
        (info(11, 1, kept=-1), 1, False),
        (info(10, 3, kept=-1), 1, True),
    ],
)
def test_removals_without_a_message_are_noticed(now: StreamInfo, size: int, *, suspect: bool) -> None:
    """More went than writes can have replaced, or fewer keys are there than are denied."""
    assert Drift(SINCE).suspects(now, size, 0, 0) is suspect


@pytest.mark.parametrize(
    ("known", "due", "kept", "suspect"),
    [(0, 0, 1, True), (1, 0, 1, True), (2, 0, 1, False), (1, 1, 1, False), (0, 2, 1, False), (2, 2, 3, True)],
)
def test_ends_by_time_are_no_surprise(known: int, due: int, kept: int, *, suspect: bool) -> None:
    """What ended, or is about to, explains as many removals, but not where the end of one value brings back another."""
    assert Drift(SINCE).suspects(info(10, 2, kept=kept), 2, known, due) is suspect


def test_an_explanation_is_used_once() -> None:
    """Store and set may end an entry in either order; in the end each end explains one removal."""
    drift = Drift(SINCE)
    assert not drift.suspects(info(10, 3), 3, 0, 1)
    drift.advance(info(10, 3))
    assert drift.mark == Mark(CREATED, 10, 3)
    assert not drift.suspects(info(10, 3), 3, 1, 0)
    assert drift.suspects(info(10, 2), 2, 1, 0)
    assert not drift.suspects(info(10, 2), 2, 2, 0)


def test_doubt_is_what_writes_explain() -> None:
    """Ends by time and plain additions leave none; a removal put down to a write does, until the next scan."""
    drift = Drift(SINCE)
    drift.advance(info(12, 6))
    drift.advance(info(12, 5))
    assert not drift.doubtful
    drift.advance(info(13, 5))
    drift.advance(info(13, 5))
    assert drift.doubtful


STEPS = st.lists(st.sampled_from(["append", "remove"]), max_size=30)


@given(STEPS, STEPS)
def test_removals_are_counted_exactly(before: list[str], after: list[str]) -> None:
    """Whatever happened, two looks tell how many messages went between them."""
    last_seq = messages = gone = 0
    since = mark(info(0, 0))
    for at, step in enumerate(before + after):
        if at == len(before):
            since, gone = mark(info(last_seq, messages)), 0
        if step == "append":
            last_seq, messages = last_seq + 1, messages + 1
        elif messages:
            messages, gone = messages - 1, gone + 1
    if not after:
        since, gone = mark(info(last_seq, messages)), 0
    assert removed(since, info(last_seq, messages)) == gone


def test_times_as_go_writes_them() -> None:
    """Nine digits, fewer, or none."""
    assert wall_seconds("1970-01-01T00:01:00Z") == 60.0
    assert wall_seconds("1970-01-01T00:00:01.5Z") == 1.5
    assert wall_seconds("2026-11-24T08:14:29.041983258Z") == pytest.approx(1795508069.041983, abs=1e-5)


def test_the_server_s_clock_is_told_from_ours() -> None:
    """What to add to our clock to have the server's; nothing where the answer has no time."""
    answer = info(1, 1)
    assert answer.clock_offset(wall_seconds("2026-01-31T10:00:02Z")) == pytest.approx(3.0)
    assert StreamInfo().clock_offset(123.0) == 0.0
    assert info(1, 1, age=90_000_000_000).max_age_s == 90.0
