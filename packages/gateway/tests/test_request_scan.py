"""RequestScan: model and stream beside the relay, one answer on both sides of 1 MiB."""

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_gateway.request_scan import HELD_BYTES, RequestFacts, RequestScan, root_scanner, scan_facts

PAD = b" " * (HELD_BYTES + 1)


def facts(body: bytes, cuts: list[int] | None = None) -> RequestFacts:
    scan = RequestScan()
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts or []), len(body)]
    for start, end in pairwise(edges):
        scan.feed(body[start:end])
    return scan.finish()


CASES: list[tuple[bytes, str | None, bool]] = [
    (b'{"model":"gpt-4o","stream":true}', "gpt-4o", True),
    (b'{"model":"a","model":"b","stream":true,"stream":false}', "b", False),
    (b'{"stream":"true","model":7}', "unknown", False),
    (b'{"stream":1,"model":null}', "unknown", False),
    (b'{"stream":null,"model":{"model":"x"}}', "unknown", False),
    (b'{"model":["a"]}', "unknown", False),
    (b'{"mod\\u0065l":"\\u00e9\\"\\\\"}', 'é"\\', False),
    (b'{"model":""}', "", False),
    (b'{"model":"' + b"m" * 256 + b'"}', "m" * 256, False),
    (b'{"model":"' + b"m" * 257 + b'"}', "unknown", False),
    (b'{"model":"' + "é".encode() * 128 + b'"}', "é" * 128, False),
    (b'{"model":"' + b"\\u0061" * 42 + b'"}', "a" * 42, False),
    (b'{"model":"' + b"\\u0061" * 43 + b'"}', "unknown", False),
    (b'{"model":"' + b"\\ud83d\\ude00" * 30 + b'"}', "unknown", False),
    (b'{"model":"\xff"}', "unknown", False),
    (b'{"model":"\\ud800"}', "unknown", False),
    (b'{"x":"\\ud800","model":"m"}', "m", False),
    (b'{"x":' + b"[" * 5000 + b"]" * 5000 + b',"model":"m","stream":true}', "m", True),
    (b'{"messages":[{"model":"x"}],"text":"\\"model\\":\\"y\\""}', None, False),
    (b"{}", None, False),
    (b'["model"]', None, False),
    (b"not json", None, False),
    (b"", None, False),
    (b'{"model":"m","x":tru', "m", False),
    (b'{"model":"m"}trailing', "m", False),
]


@pytest.mark.parametrize(("body", "model", "stream"), CASES)
def test_facts_are_those_of_the_root(body: bytes, model: str | None, *, stream: bool) -> None:
    """The last root `model` and `stream` count; what is no short string is unknown; broken bodies what they held."""
    assert facts(body) == (model, stream)
    assert facts(body, list(range(len(body)))) == (model, stream)


@pytest.mark.parametrize(("body", "model", "stream"), CASES)
def test_a_body_over_one_mebibyte_gives_the_same_facts(body: bytes, model: str | None, *, stream: bool) -> None:
    """Padding pushes a body over the bound and into the scanner, and nothing else changes."""
    assert facts(PAD + body, [at * 65537 for at in range(17)] + [-3, -20]) == (model, stream)
    assert facts(PAD + body) == (model, stream)


KEYS = st.sampled_from([b'"model"', b'"mod\\u0065l"', b'"stream"', b'"x"', b'"\\"model"', b'"m\\', b'"model'])
VALUES = st.sampled_from(
    [
        b'"m"',
        b"true",
        b"false",
        b"1",
        b"null",
        b'{"model":"n","stream":true}',
        b'["model",{"a":"]"}]',
        b'"\\u0061\\\\"',
        b'"\\',
        b"tru",
    ]
)


@settings(deadline=None)
@given(
    members=st.lists(st.tuples(KEYS, VALUES), max_size=6),
    separator=st.sampled_from([b",", b" , ", b"", b":"]),
    close=st.sampled_from([b"}", b" } ", b"", b"]", b"}x"]),
    cuts=st.lists(st.integers(0, 1_000_000), max_size=6),
)
def test_both_readers_give_one_answer(
    members: list[tuple[bytes, bytes]], separator: bytes, close: bytes, cuts: list[int]
) -> None:
    """Valid, broken or cut short: the decoder below 1 MiB and the scanner above it say the same."""
    body = b"{" + separator.join(key + b":" + value for key, value in members) + close
    scanner = root_scanner()
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in pairwise(edges):
        scanner.feed(body[start:end])
    assert facts(body, cuts) == scan_facts(scanner)


def test_the_body_is_held_up_to_one_mebibyte_and_joined_once() -> None:
    """`held` gives the body by reference where it came in one piece, else joined and cached; None once too long."""
    whole = bytes(HELD_BYTES)
    scan = RequestScan()
    assert scan.held() == b""
    scan.feed(whole)
    assert scan.held() is whole
    scan.feed(b"x")
    assert scan.held() is None
    cut = RequestScan()
    cut.feed(b"ab")
    cut.feed(b"cd")
    assert cut.held() == b"abcd"
    assert cut.held() is cut.held()
    cut.feed(b"ef")
    assert cut.held() == b"abcdef"


def test_finish_settles_the_facts() -> None:
    """The first `finish` decides; bytes fed later change nothing."""
    scan = RequestScan()
    scan.feed(b'{"model":"a"')
    first = scan.finish()
    scan.feed(b',"model":"b"}')
    assert scan.finish() is first
    long = RequestScan()
    long.feed(PAD + b'{"model":"a",')
    first = long.finish()
    long.feed(b'"model":"b"}')
    assert (first, long.finish()) == (("a", False), first)


def test_release_lets_the_bytes_go_and_keeps_the_facts() -> None:
    """After `release` nothing is held, before `finish` or after it, and the facts still come out."""
    early = RequestScan()
    early.feed(b'{"model":"a","stream":')
    early.release()
    assert early.held() is None
    early.feed(b"true}")
    assert early.held_bytes == 0
    assert early.finish() == ("a", True)
    late = RequestScan()
    late.feed(b'{"model":"a"}')
    assert late.finish() == ("a", False)
    late.release()
    assert (late.held(), late.held_bytes, late.finish()) == (None, 0, ("a", False))


def test_memory_stays_bounded_for_any_length_and_chunking() -> None:
    """At most 1 MiB and one chunk is held, whatever the chunks, and a long body's backlog drains as it passes."""
    tiny = RequestScan()
    tracemalloc.start()
    for at in range(1 << 16):
        tiny.feed(b"%02d" % (at % 100))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1 << 18
    assert (tiny.held() or b"")[:204] == b"".join(b"%02d" % (at % 100) for at in range(102))
    long = RequestScan()
    chunk = b" " * 65536
    sizes: list[int] = []
    for _ in range(64):
        long.feed(chunk)
        sizes.append(long.held_bytes)
    assert max(sizes) <= HELD_BYTES
    assert sizes[-1] == 0
