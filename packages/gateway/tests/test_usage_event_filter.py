"""UsageEventFilter: exactly the usage event goes, everything else passes at once."""

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_gateway.usage_event_filter import HELD_BYTES, UsageEventFilter

DELTA = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"[]"}}],"usage":null}\n\n'
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12}}\n\n'
DONE = b"data: [DONE]\n\n"


def filtered(stream: bytes, cuts: list[int] | None = None) -> bytes:
    hide = UsageEventFilter()
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts or []), len(stream)]
    out = b"".join([hide.feed(stream[start:end]) for start, end in pairwise(edges)])
    return out + hide.finish()


def every_way(stream: bytes) -> bytes:
    """The output for the stream whole, byte by byte and cut at each place, which must all be the same."""
    whole = filtered(stream)
    assert filtered(stream, list(range(len(stream)))) == whole
    for cut in range(len(stream)):
        assert filtered(stream, [cut]) == whole
    return whole


@pytest.mark.parametrize(
    "event",
    [
        USAGE,
        USAGE.replace(b"\n\n", b"\r\n\r\n"),
        USAGE.replace(b"\n\n", b"\r\r"),
        USAGE.replace(b"\n\n", b"\r\n\n"),
        USAGE.replace(b"\n\n", b"\n\r\n"),
        b'data:{"usage" : {} , "choices" : [ ] }\n\n',
        b": comment\nevent: chunk\nid: 7\n" + USAGE,
        b'data: {\ndata: "choices": [\ndata: ],\ndata: "usage": {"prompt_tokens": 1}\ndata: }\n\n',
        b'data:\ndata: {"choices":[],"usage":{"note":"\\"choices\\":[1]"}}\n\n',
    ],
)
def test_the_usage_event_is_dropped(event: bytes) -> None:
    """An event with an empty `choices` list and a usage object goes, whatever its line ends, spacing and fields."""
    assert every_way(DELTA + event + DONE) == DELTA + DONE
    assert every_way(event) == b""
    assert every_way(event.rstrip(b"\r\n")) == b""


@pytest.mark.parametrize(
    "event",
    [
        DELTA,
        DONE,
        b'data: {"choices":[],"prompt_filter_results":[{"prompt_index":0}]}\n\n',
        b'data: {"choices":[],"usage":null}\n\n',
        b'data: {"choices":[],"usage":7}\n\n',
        b'data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":9}}\n\n',
        b'data: {"usage":{"prompt_tokens":9}}\n\n',
        b'data: {"choices":null,"usage":{"prompt_tokens":9}}\n\n',
        b'data: {"x":{"choices":[],"usage":{}}}\n\n',
        b'data: {"choices":[{}],"usage":{},"choices":[]}\n\n',
        b'data: {"choic\\u0065s":[{}],"x":{"choices":[]},"usage":{}}\n\n',
        b'data: [{"choices":[],"usage":{}}]\n\n',
        b'data: {"choices":[],"usage":{}} x\n\n',
        b'data: {"choices":[],"usage":{}\n\n',
        b'data: {"error":{"message":"overloaded"}}\n\n',
        b'datum: {"choices":[],"usage":{}}\n\n',
        b': {"choices":[],"usage":{}}\n\n',
        b"event: x\r\n: [] \r\n\r\n",
        b": ping\n\n",
        b"\n\r\n\r\r\n",
        b'data: {"choices":[],"usage":{"x":' + b"[" * 3000 + b"]" * 3000 + b"}}\n",
        b"\xff\xfe\x00",
    ],
)
def test_all_else_passes_byte_for_byte(event: bytes) -> None:
    """Deltas, comments, `[DONE]`, errors, broken events and events with choices are left as they are."""
    for stream in (event, DELTA + event, event + DELTA, event + b"\n\n" + event):
        assert filtered(stream) == stream
        assert filtered(stream, list(range(len(stream)))) == stream
    assert every_way(DELTA + event[:300] + b"\r\r" + USAGE) == DELTA + event[:300] + b"\r\r"


def test_a_read_without_the_event_is_the_same_object() -> None:
    """Whole events pass by reference, and the filter is clean between them."""
    hide = UsageEventFilter()
    for payload in (DELTA, DELTA * 3, DONE, DELTA.replace(b"\n", b"\r\n")):
        assert hide.feed(payload) is payload
        assert hide.clean
        assert not hide.may_drop(payload)
    assert hide.may_drop(DELTA + USAGE)


@pytest.mark.parametrize(
    "head",
    [
        b'data: {"id":"c","choices":[{',
        b'data: {"choices": [ {',
        b"data: [",
        b"event: x\ndata:  [DONE]",
        b'data: {"choices":[],"usage":{"x":"' + b"y" * HELD_BYTES,
    ],
)
def test_an_event_that_cannot_be_the_one_is_not_held(head: bytes) -> None:
    """Once its head shows choices or no object, or it is too long, an unfinished event passes at once."""
    hide = UsageEventFilter()
    assert hide.feed(head) == head
    assert not hide.clean
    assert hide.held_bytes == 0
    assert hide.feed(b"more\r") == b"more\r"
    assert hide.feed(b"\nx\n") == b"\nx\n"
    assert hide.feed(b"\r") == b"\r"
    assert hide.clean
    assert hide.feed(USAGE) == b""


def test_choices_that_arrive_in_pieces_let_the_event_go() -> None:
    """The byte that shows a choice frees all that was held."""
    hide = UsageEventFilter()
    assert hide.feed(DELTA + b'data: {"cho') == DELTA
    assert hide.feed(b'ices":[') == b""
    assert hide.held_bytes == len(b'data: {"choices":[')
    assert hide.feed(b"{") == b'data: {"choices":[{'
    assert hide.feed(b"") == b""
    assert not hide.clean


def test_what_is_held_is_bounded() -> None:
    """An endless event is held up to 64 KiB and then passes; one of just 64 KiB is still dropped."""
    hide = UsageEventFilter()
    piece = b" " * 1000
    out = hide.feed(b'data: {"choices":[],"usage":{"a":1}')
    most = 0
    for _ in range(100):
        out += hide.feed(piece)
        most = max(most, hide.held_bytes)
    assert HELD_BYTES - 1000 < most <= HELD_BYTES
    assert len(out) == 35 + 100_000
    fits = USAGE[:-2] + b" " * (HELD_BYTES - len(USAGE)) + b"\n\n"
    over = USAGE[:-2] + b" " * (HELD_BYTES - len(USAGE) + 1) + b"\n\n"
    for cuts in ([], [700], [HELD_BYTES - 1], [9, 40_000]):
        assert filtered(fits, cuts) == b""
        assert filtered(over, cuts) == over


END = st.sampled_from(["\n", "\n", "\r\n", "\r"])
PIECE = st.sampled_from(
    [
        '"choices"',
        ":",
        "[",
        "]",
        "{",
        "}",
        '"usage"',
        ",",
        " ",
        "null",
        "1",
        '"x"',
        "data:",
        "\n",
        "\r\n",
        "\r",
        '"choices":[]',
        '"usage":{}',
        ": c",
    ]
)
EVENTS = st.sampled_from(
    [DELTA, USAGE, DONE, b'data: {"choices":[],\ndata: "usage":{}}\n\n', b": ping\n\n", b"\n"]
).map(bytes.decode)
STREAMS = st.lists(EVENTS | st.lists(PIECE, max_size=6).map("".join), max_size=8).map("".join)


@settings(deadline=None)
@given(stream=STREAMS, end=END, cuts=st.lists(st.integers(0, 5000), max_size=12))
def test_cutting_never_changes_the_output(stream: str, end: str, cuts: list[int]) -> None:
    """Any mixture of events and debris gives the same bytes for every way to cut it."""
    data = stream.replace("\n\n", end + end).encode()
    assert filtered(data, cuts) == filtered(data) == filtered(data, list(range(len(data))))


@settings(deadline=None)
@given(
    choices=st.sampled_from(["[]", "[ ]", "[{}]", "[0]", "null"]),
    usage=st.sampled_from(["{}", '{"a":[]}', "null", "0", None]),
    end=END,
)
def test_only_empty_choices_with_usage_are_dropped(choices: str, usage: str | None, end: str) -> None:
    """The decision is that of a JSON parser: `choices` is an empty list and `usage` an object."""
    text = f'{{"choices":{choices}' + (f',"usage":{usage}' if usage is not None else "") + "}"
    event = f"data: {text}{end}{end}".encode()
    parsed = json.JSONDecoder().decode(text)
    hidden = parsed["choices"] == [] and isinstance(parsed.get("usage"), dict)
    stream = DELTA + event + DELTA
    assert every_way(stream) == (DELTA * 2 if hidden else stream)
    assert re.sub(rb"\s", b"", filtered(event)) == (b"" if hidden else re.sub(rb"\s", b"", event))
