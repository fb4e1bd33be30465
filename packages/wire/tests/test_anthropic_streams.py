"""Anthropic streams: each recorded answer gives exactly its events, however its bytes are cut and wherever it ends."""

from __future__ import annotations

import pytest

from beyond_wire import anthropic
from beyond_wire.accumulate import turn_of
from beyond_wire.errors import WireError
from beyond_wire.testing.anthropic_streams import OPEN, start, text
from beyond_wire.testing.anthropic_turn_parts import call, end
from beyond_wire.testing.fixture import sse
from beyond_wire.testing.telling import told


@pytest.mark.parametrize(
    "nested", ['{"type":"ping","x":%s}', '{"type":"new","x":%s}', '{"type":"message_stop","error":%s}']
)
def test_json_nested_too_deeply(nested: str) -> None:
    """JSON that is nested too deeply to be read is malformed, also where it would be skipped."""
    decoder = anthropic.decoder()
    with pytest.raises(WireError) as caught:
        decoder.feed(b"data: " + (nested % ("[" * 100_000 + "]" * 100_000)).encode() + b"\n\n")
    assert str(caught.value) == "malformed SSE json: nested too deeply"


def test_arguments_byte_by_byte() -> None:
    """Arguments in pieces of one character make the same call; what is no JSON stays as raw text."""
    for raw, arguments, bad in (
        ('{"path":"C:\\\\x","n":[1,{"é":"🙂"}]}', {"path": "C:\\x", "n": [1, {"é": "🙂"}]}, {}),
        ('{"path": "a', {}, {"toolu_01": '{"path": "a'}),
        ("", {}, {}),
    ):
        stream = sse(
            start(input_tokens=25),
            *call(0, "toolu_01", "read", *raw),
            end("tool_use"),
            ("message_stop", {"type": "message_stop"}),
        )
        events, fault, _ = told(anthropic, [stream])
        assert fault is None
        turn = turn_of(events)
        assert [getattr(block, "input", None) for block in turn.message.content] == [arguments]
        assert turn.bad_args == bad


def test_repr_tells_the_state() -> None:
    """The decoder's repr names its blocks, its fault and its end, and no text of the answer."""
    decoder = anthropic.decoder()
    decoder.feed(sse(start(input_tokens=25), OPEN, text("secret")))
    assert repr(decoder) == "<AnthropicDecoder <AnswerEvents blocks=1 open=1 done=False> fault=None finished=False>"
