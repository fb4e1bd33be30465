"""ask_for_usage: usage is asked for in streamed chat bodies, every other byte as sent."""

import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_gateway.usage_request import ask_for_usage

ADDED = b'"stream_options":{"include_usage":true}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"not json",
        b"[true]",
        b'"stream"',
        b"{}",
        b'{"stream":false}',
        b'{"stream":null}',
        b'{"stream":1}',
        b'{"stream":"true"}',
        b'{"stream":[true]}',
        b'{"stream":true,"stream":false}',
        b'{"x":{"stream":true},"y":"\\"stream\\":true"}',
        b'{"stream":true',
        b'{"stream":true}x',
        b'{"stream":false,"x":"\\ud800"}',
        b'{"stream_options":{"include_usage":false}}',
    ],
)
def test_a_body_that_does_not_stream_is_left_alone(body: bytes) -> None:
    """Without a root `stream` of exactly true, or without an object, the same bytes come back and nothing is hidden."""
    ask = ask_for_usage(body)
    assert (ask.hide_usage_event, ask.streaming) == (False, False)
    assert ask.body is body


@pytest.mark.parametrize(
    "body",
    [
        b'{"stream":true,"stream_options":{"include_usage":true}}',
        b'{"stream_options" : { "x":1, "include_usage" : true } , "stream":true}',
        b'{"stream":true,"stream_options":{"include_usage":false,"include_usage":true}}',
        b'{"stream":true,"stream_options":null,"stream_options":{"include_usage":true}}',
        b'{"stream":false,"stream":true,"stream_options":{"include\\u005fusage":true}}',
        b'{"stream":true,"stream_options":{"include_usage":true},"x":"\\ud800"}',
    ],
)
def test_a_client_that_asked_sees_its_usage(body: bytes) -> None:
    """Where the client itself asked, nothing is edited and nothing hidden."""
    ask = ask_for_usage(body)
    assert (ask.hide_usage_event, ask.streaming) == (False, True)
    assert ask.body is body


@pytest.mark.parametrize(
    ("body", "edited"),
    [
        (b'{"stream":true}', b"{" + ADDED + b',"stream":true}'),
        (b' {\n "stream" : true } ', b" {" + ADDED + b',\n "stream" : true } '),
        (b'{"stream":true,"stream_options":null}', b'{"stream":true,' + ADDED + b"}"),
        (b'{"stream":true,"stream_options":"x"}', b'{"stream":true,' + ADDED + b"}"),
        (b'{"stream":true,"stream_options":[{}]}', b'{"stream":true,' + ADDED + b"}"),
        (b'{"stream":true,"stream_options":{}}', b'{"stream":true,' + ADDED + b"}"),
        (b'{"stream_options": { } ,"stream":true}', b'{"stream_options": {"include_usage":true } ,"stream":true}'),
        (
            b'{"stream_options":{"a":1.50},"stream":true}',
            b'{"stream_options":{"include_usage":true,"a":1.50},"stream":true}',
        ),
        (
            b'{"stream_options":{"include_usage": "yes" ,"a":1},"stream":true}',
            b'{"stream_options":{"include_usage": true ,"a":1},"stream":true}',
        ),
        (
            b'{"stream_options":{"include_usage":true,"include_usage":{}},"stream":true}',
            b'{"stream_options":{"include_usage":true,"include_usage":true},"stream":true}',
        ),
        (
            b'{"stream_options":{"include_usage":true},"stream":true,"stream_options":false}',
            b'{"stream_options":{"include_usage":true},"stream":true,"stream_options":{"include_usage":true}}',
        ),
        (
            b'{"stream":true,"stream\\u005foptions":{"include_usage":false},"x":{"stream_options":0}}',
            b'{"stream":true,"stream\\u005foptions":{"include_usage":true},"x":{"stream_options":0}}',
        ),
        (b'{"stream":true,"x":"\\ud800"}', b"{" + ADDED + b',"stream":true,"x":"\\ud800"}'),
        (
            b'{"stream":true,"x":NaN,"stream_options":{"include_usage":false}}\n',
            b'{"stream":true,"x":NaN,"stream_options":{"include_usage":true}}\n',
        ),
        (
            b'{"stream":true,"x":' + b"[" * 3000 + b"]" * 3000 + b"}",
            b"{" + ADDED + b',"stream":true,"x":' + b"[" * 3000 + b"]" * 3000 + b"}",
        ),
    ],
)
def test_usage_is_forced_in_place(body: bytes, edited: bytes) -> None:
    """Absent, false or malformed becomes true where it stands, the last of its name, and the event is to be hidden."""
    assert ask_for_usage(body) == (edited, True, True)


@pytest.mark.parametrize("body", [b'{"stream":true}', b'{"stream":true,"stream_options":{"a":0}}'])
def test_asking_twice_changes_nothing_more(body: bytes) -> None:
    """An edited body asks for usage already."""
    once = ask_for_usage(body).body
    assert ask_for_usage(once).body is once


VALUES = st.sampled_from(["true", "false", "null", "1.50e2", '"yes"', '"\\u0074\\"}"', "[]", '[{"stream":false}]'])
GAPS = st.sampled_from(["", " ", "\r\n\t"])


def _member(names: list[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(GAPS, st.sampled_from(names), GAPS, st.just(":"), GAPS, values, GAPS).map("".join)


def _object(*members: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    filled = st.lists(st.one_of(*members), min_size=1, max_size=5).map(",".join)
    return (filled | GAPS).map(lambda inside: "{" + inside + "}")


OTHER = _member(['"x"', '"model"', '"\\"stream"', '"é"'], VALUES)
OPTIONS = _object(OTHER, _member(['"include_usage"', '"include\\u005fusage"'], VALUES))
BODIES = _object(
    OTHER,
    _member(['"stream"'], st.sampled_from(["true", "true", "false"])),
    _member(['"stream_options"', '"stream_\\u006fptions"'], VALUES | OPTIONS),
)


def _shared(one: bytes, other: bytes) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@settings(deadline=None)
@given(body=BODIES.map(str.encode))
def test_only_include_usage_changes(body: bytes) -> None:
    """Parsed, an edited body differs in `include_usage` alone; as bytes, in one value or one added member."""
    decode = json.JSONDecoder().decode
    sent: dict[str, Any] = decode(body.decode())
    options: dict[str, Any] | object = sent.get("stream_options")
    known: dict[str, Any] = cast("dict[str, Any]", options) if isinstance(options, dict) else {}
    ask = ask_for_usage(body)
    assert ask.streaming is (sent.get("stream") is True)
    assert ask.hide_usage_event is (ask.streaming and known.get("include_usage") is not True)
    if not ask.hide_usage_event:
        assert ask.body is body
        return
    assert decode(ask.body.decode()) == {**sent, "stream_options": {**known, "include_usage": True}}
    before = _shared(body, ask.body)
    after = _shared(body[before:][::-1], ask.body[before:][::-1])
    replaced = body[before : len(body) - after]
    if "stream_options" not in sent or (isinstance(options, dict) and "include_usage" not in known):
        assert replaced == b""
    else:
        assert b"," not in replaced
        assert ask.body.count(b"usage") == body.count(b"usage") + (0 if isinstance(options, dict) else 1)
