"""RootScanner: root members out of any chunking, nothing else."""

import json
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_gateway.model_scan import RootScanner

KEYS = (b"model", b"stream")


def scan(document: bytes, cuts: list[int] | None = None, limit: int = 258) -> RootScanner:
    scanner = RootScanner(KEYS, limit)
    edges = [0, *sorted(cut % (len(document) + 1) for cut in cuts or []), len(document)]
    for start, end in pairwise(edges):
        scanner.feed(document[start:end])
    return scanner


def raws(document: bytes) -> dict[bytes, bytes]:
    """What the scanner finds: whole, byte by byte and cut once at each place, which must all be the same."""
    whole = scan(document)
    bytewise = scan(document, list(range(len(document))))
    assert (whole.members, whole.end) == (bytewise.members, bytewise.end)
    for cut in range(len(document)):
        halves = scan(document, [cut])
        assert (whole.members, whole.end) == (halves.members, halves.end)
    return {key: member.raw for key, member in whole.members.items()}


@pytest.mark.parametrize(
    ("document", "model"),
    [
        (b'{"model":"a"}', b'"a"'),
        (b' \r\n\t{ "x" : 1 , "model" :\n "a" }', b'"a"'),
        (b'{"model":"a","model":"b"}', b'"b"'),
        (b'{"mod\\u0065l":"a"}', b'"a"'),
        (b'{"\\u006d\\u006f\\u0064\\u0065\\u006c":"a"}', b'"a"'),
        (b'{"model\\u0000":"a"}', None),
        (b'{"mod\\ud800l":"a"}', None),
        (b'{"model":"a\\"b\\\\"}', b'"a\\"b\\\\"'),
        (b'{"a":"x\\\\","model":"b"}', b'"b"'),
        (b'{"a":["x\\\\","\\\\\\"y"],"model":"b"}', b'"b"'),
        (b'{"a":["\\\\\\\\\\"]}","model","x"],"model":"b"}', b'"b"'),
        (b'{"a":{"model":"x"},"b":[{"model":"y"}],"model":"b"}', b'"b"'),
        (b'{"a":"\\"model\\":\\"x\\"","b":"model"}', None),
        (b'{"model":null}', b"null"),
        (b'{"model":-1.5e3 ,"x":0}', b"-1.5e3"),
        (b'{"model":{"model":"x"}}', b"{"),
        (b'{"model":["x","]"]}', b"["),
        (b'{"model":"a","model":{}}', b"{"),
        (b"{}", None),
        (b'["model","x"]', None),
        (b'"model"', None),
        (b"", None),
        (b"  ", None),
    ],
)
def test_the_last_root_value_is_found_and_decoys_are_not(document: bytes, model: bytes | None) -> None:
    """A key matches at the root only, however it is escaped and cut, and the last one wins."""
    assert raws(document).get(b"model") == model


@pytest.mark.parametrize(
    ("document", "model"),
    [
        (b'{"model":"a","model":"b', b'"a"'),
        (b'{"model":"a', None),
        (b'{"model":12', None),
        (b'{"model":"a"]"model":"b"}', b'"a"'),
        (b'{"model" "a"}', None),
        (b'{"model":"a" "b"}', b'"a"'),
        (b'{"model":"a"}{"model":"b"}', b'"a"'),
        (b'{"x"::"model":"a"}', None),
        (b'{:"model":"a"}', b'"a"'),
    ],
)
def test_broken_documents_give_what_the_root_held(document: bytes, model: bytes | None) -> None:
    """On bytes that are not JSON the answer is the last complete member, the same for every cut."""
    assert raws(document).get(b"model") == model


def test_offsets_name_the_value_in_the_whole_document() -> None:
    """`start` and `end` cut the last value out of the document, and `end` of the scanner is behind its brace."""
    document = b'{"stream":false, "model": {"a":[1,"}"]} ,"stream": true } x'
    found = scan(document, [3, 20, 30])
    model, stream = found.members[b"model"], found.members[b"stream"]
    assert document[model.start : model.end] == b'{"a":[1,"}"]}'
    assert document[stream.start : stream.end] == b"true"
    assert found.end == len(document) - 2


def test_a_value_is_kept_to_one_byte_over_the_limit() -> None:
    """A long key or value occupies the limit in memory and no more, fed in any pieces."""
    document = b'{"' + b"k" * 9000 + b'":1,"model":"' + b"m" * 9000 + b'"}'
    scanner = RootScanner(KEYS, 258)
    kept = 0
    for at in range(0, len(document), 7):
        scanner.feed(document[at : at + 7])
        kept = max(kept, scanner.kept_bytes)
    assert kept == 259
    assert scanner.members[b"model"].raw == b'"' + b"m" * 258


def test_deep_nesting_needs_no_stack() -> None:
    """A hundred thousand open brackets are counted, not recursed into."""
    document = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b',"model":"m"}'
    assert scan(document, [99, 50_000]).members[b"model"].raw == b'"m"'


TEXT = st.text(alphabet='model\\"{}[]:, \n\u00e9\u20ac\U0001f600', max_size=12)
KEY = st.sampled_from(['"model"', '"mod\\u0065l"', '"stream"', '"x"', '"\\"model"', '"model\\\\"', '""'])
LEAF = st.none() | st.booleans() | st.integers() | TEXT | st.floats(allow_nan=False, allow_infinity=False)
VALUE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.just("model"), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """JSON objects with repeated, escaped and misleading keys, in any spacing and escaping."""
    gap = draw(st.sampled_from(["", " ", "\n\t"]))
    members = [
        f"{gap}{key}{gap}:{gap}{json.dumps(value, ensure_ascii=draw(st.booleans()))}{gap}"
        for key, value in draw(st.lists(st.tuples(KEY, VALUE), max_size=6))
    ]
    return f"{gap}{{{','.join(members)}}}{gap}".encode()


class Root(msgspec.Struct):
    model: msgspec.Raw = msgspec.Raw()
    stream: msgspec.Raw = msgspec.Raw()


@settings(deadline=None)
@given(document=documents(), cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_the_scanner_agrees_with_a_typed_decode(document: bytes, cuts: list[int]) -> None:
    """On valid JSON, in any pieces, the scanner finds the very bytes that msgspec does."""
    root = msgspec.json.decode(document, type=Root)
    found = scan(document, cuts).members
    for key, raw in ((b"model", bytes(root.model)), (b"stream", bytes(root.stream))):
        member = found.get(key)
        assert raw == (document[member.start : member.end] if member else b"")


@settings(deadline=None)
@given(
    document=documents(),
    noise=st.lists(st.tuples(st.integers(0, 999), st.binary(max_size=3)), max_size=4),
    data=st.data(),
)
def test_any_bytes_in_any_pieces_give_one_answer(
    document: bytes, noise: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    """Mutated documents never raise, and cutting never changes what is found."""
    for place, piece in noise:
        at = place % (len(document) + 1)
        document = document[:at] + piece + document[at + 1 :]
    cuts = data.draw(st.lists(st.integers(0, len(document)), max_size=8))
    whole, cut = scan(document), scan(document, cuts)
    assert (whole.members, whole.end) == (cut.members, cut.end)
