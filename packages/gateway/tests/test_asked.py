"""Remembered heads: what is found is what a fresh reading would give, and nothing else is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playbook import BYO, KEY, play_config

from beyond_gateway.asked import REMEMBERED_BYTES, REMEMBERED_HEADS, Asked, Heads
from beyond_gateway.endpoints import Endpoints
from beyond_gateway.head_rules import CHUNKED, HeadError
from beyond_gateway.providers import build_table

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG = play_config()
TABLE = build_table(CONFIG)
TARGETS = [b"/openai/v1/chat/completions", b"/v1/messages", b"/openai/v1/files", b"/nobody/x", b"/v1/models?key=" + KEY]
FIELDS = [
    b"Authorization: Bearer " + KEY,
    b"x-api-key: " + BYO,
    b"Content-Type: application/json",
    b"Connection: close, x-odd",
    b"X-Odd: a",
    b"Expect: 100-continue",
    b"X-Copy: content-length: 9",
    b"anthropic-version: 2023-06-01",
]
SPELLINGS = [
    b"Content-Length: %d",
    b"content-length:%d",
    b"CONTENT-LENGTH: %d",
    b"Content-Length:  %d",
    b"Content-Length: %d ",
]
targets = st.sampled_from(TARGETS)
fields = st.lists(st.sampled_from(FIELDS), max_size=6)
lengths = st.integers(0, 10**12)


def heads() -> Heads:
    return Heads(TABLE, Endpoints(CONFIG.managed_endpoints))


def head_of(target: bytes, lines: Sequence[bytes], method: bytes = b"POST") -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: gw\r\n%b\r\n" % (method, target, b"".join(line + b"\r\n" for line in lines))


def facts(asked: Asked) -> tuple[object, ...]:
    """Everything in what was read, with the head's own facts but its declared length."""
    head = asked.head
    own = (head.method, head.target, head.minor, head.wants_close, head.expects_continue)
    return (own, *asked[1:])


def read(reader: Heads, head: bytes) -> tuple[object, ...]:
    try:
        asked, length = reader.read(head)
    except HeadError as error:
        return (str(error), error.status)
    return (*facts(asked), length)


@given(
    targets, fields, st.lists(st.tuples(st.sampled_from(SPELLINGS), lengths), min_size=1, max_size=4), st.integers(0, 6)
)
def test_a_remembered_head_reads_like_a_fresh_one(
    target: bytes, lines: list[bytes], declared: list[tuple[bytes, int]], at: int
) -> None:
    """Whatever was read before, a head gives what a reader that never saw one gives, and its own length."""
    seen = heads()
    for spelling, length in declared:
        head = head_of(target, [*lines[:at], spelling % length, *lines[at:]])
        result = read(seen, head)
        assert result == read(heads(), head)
        assert result[-1] in (length, 400)


@given(targets, fields, st.data())
def test_a_head_that_differs_in_any_other_byte_is_read_anew(
    target: bytes, lines: list[bytes], data: st.DataObject
) -> None:
    """One changed byte anywhere outside the number gives what that head gives, never the remembered one."""
    seen = heads()
    head = head_of(target, [*lines, b"Content-Length: 12345"])
    read(seen, head)
    at = data.draw(st.integers(0, len(head) - 5))
    other = head[:at] + bytes([data.draw(st.integers(0x20, 0x7E))]) + head[at + 1 :]
    assert read(seen, other) == read(heads(), other)


def test_the_second_reading_is_the_first_ones_result() -> None:
    """A head that comes again, with another length, costs no parsing: it is the very same object."""
    seen = heads()
    first, three = seen.read(head_of(TARGETS[0], [FIELDS[0], b"Content-Length: 3"]))
    again, forty = seen.read(head_of(TARGETS[0], [FIELDS[0], b"Content-Length: 40"]))
    assert again is first
    assert (three, forty, len(seen)) == (3, 40, 1)
    assert repr(seen) == "<Heads remembered=1>"


def test_chunked_and_bodiless_heads_keep_their_own_length() -> None:
    """Heads without Content-Length are found by all their bytes."""
    seen = heads()
    for _ in range(2):
        assert seen.read(head_of(TARGETS[0], [b"Transfer-Encoding: chunked"]))[1] == CHUNKED
        assert seen.read(head_of(TARGETS[0], []))[1] == 0


@pytest.mark.parametrize("second", [b"Content-Length: 3", b"content-length: 4", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("first", [b"Content-Length: 3", b"Content-Length: 77"])
def test_a_repeated_length_is_refused_after_any_remembered_head(first: bytes, second: bytes) -> None:
    """A head with its length declared twice is 400 the first and the second time, in both orders."""
    seen = heads()
    for lines in ([first], [second], []):
        seen.read(head_of(TARGETS[0], lines))
    for lines in ([first, second], [second, first]):
        for _ in range(2):
            with pytest.raises(HeadError) as caught:
                seen.read(head_of(TARGETS[0], lines))
            assert caught.value.status == 400


@pytest.mark.parametrize("number", [b"", b"-1", b"+3", b"3,3", b"0x3", b"1" * 19, b"3 3"])
def test_a_bad_length_is_refused_after_a_remembered_good_one(number: bytes) -> None:
    """Only a plain number of at most 18 digits is cut out of a head, so nothing else can be found by it."""
    seen = heads()
    seen.read(head_of(TARGETS[0], [b"Content-Length: 3"]))
    seen.read(head_of(TARGETS[0], []))
    with pytest.raises(HeadError):
        seen.read(head_of(TARGETS[0], [b"Content-Length: " + number]))


def test_memory_is_bounded_in_heads_and_in_bytes() -> None:
    """At most 512 heads of at most 2048 bytes are kept; a longer one is read and forgotten."""
    seen = heads()
    for number in range(REMEMBERED_HEADS * 2 + 5):
        seen.read(head_of(TARGETS[0], [b"X-Trace: %d" % number]))
        assert 1 <= len(seen) <= 512
    seen = heads()
    fixed = len(head_of(TARGETS[0], [b"X-A: ", b"Content-Length: "]))
    seen.read(head_of(TARGETS[0], [b"X-A: " + b"a" * (REMEMBERED_BYTES - fixed), b"Content-Length: 5"]))
    assert len(seen) == 1
    seen.read(head_of(TARGETS[0], [b"X-A: " + b"b" * (REMEMBERED_BYTES - fixed + 1), b"Content-Length: 5"]))
    assert len(seen) == 1


def test_a_flood_of_heads_displaces_none_in_use() -> None:
    """A head that comes between others is parsed once, however many of those come once each."""
    seen = heads()
    used = head_of(TARGETS[0], [FIELDS[0], b"Content-Length: 3"])
    first, _ = seen.read(used)
    for number in range(REMEMBERED_HEADS * 5):
        seen.read(head_of(TARGETS[0], [b"Authorization: Bearer bai_v1.1.%d" % number]))
        if number % 200 == 0:
            assert seen.read(used)[0] is first


@pytest.mark.parametrize("target", [TARGETS[0], TARGETS[1], TARGETS[3]])
def test_a_head_has_the_key_that_it_is_counted_by(target: bytes) -> None:
    """The same credential has the same rate key wherever it stands and wherever it goes; without one it is 0."""
    keys = [
        heads().read(head_of(place, lines))[0].rate_key
        for place, lines in (
            (target, [FIELDS[0]]),
            (target, [b"x-api-key: " + KEY, FIELDS[2]]),
            (target + b"?key=" + KEY, []),
            (target, [FIELDS[1]]),
            (target, []),
        )
    ]
    assert keys == [hash(KEY)] * 3 + [hash(BYO), 0]


def test_a_malformed_head_is_never_remembered() -> None:
    """What raises once raises again."""
    seen = heads()
    for _ in range(2):
        with pytest.raises(HeadError):
            seen.read(head_of(TARGETS[0], [b"Upgrade: websocket"]))
    assert len(seen) == 0


@pytest.mark.parametrize(
    ("method", "target", "fields", "reason"),
    [
        (b"POST", b"/openai/v1/files", b"", "endpoint_refused"),
        (b"GET", b"/openai/v1/chat/completions", b"", "method_refused"),
        (b"POST", b"/openai/v1/chat/completions?x=%62ai_v1.1.a", b"", "key_in_target"),
        (b"POST", b"/openai/v1/chat/completions", b"User-Agent: " + KEY, "key_in_field"),
    ],
)
def test_a_managed_head_carries_its_refusal(method: bytes, target: bytes, fields: bytes, reason: str) -> None:
    """What no managed key may ask is known with the head; a caller's own key may ask all of it but our keys."""
    lines = [FIELDS[0]] + ([fields] if fields else [])
    asked, _ = heads().read(head_of(target, lines, method))
    assert asked.refusal is not None
    assert asked.refusal.reason == reason


def test_a_managed_head_is_made_ready_to_send() -> None:
    """Path without key parameters, listed fields only, and whether the body is held and the call is free."""
    asked, _ = heads().read(head_of(b"/v1/chat/completions?a=1&Key=x", [*FIELDS]))
    assert asked.path == b"/v1/chat/completions?a=1"
    assert (
        asked.fields == b"content-type: application/json\r\nanthropic-version: 2023-06-01\r\nexpect: 100-continue\r\n"
    )
    assert (asked.holds_body, asked.free) == (True, False)
    assert heads().read(head_of(b"/v1/messages/count_tokens", [FIELDS[0]]))[0].free
