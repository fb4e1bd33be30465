"""Usage readers beyond the recorded table: merging, counts, cut heads and tails, hostile input."""

from __future__ import annotations

from time import process_time

import msgspec
import pytest

from beyond_wire import (
    TokenUsage,
    UsageFacts,
    error_in_tail,
    model_from_body,
    model_from_head,
    usage_from_body,
    usage_from_tail,
)
from beyond_wire.testing.anthropic_streams import CLAUDE, anthropic, final, start, text
from beyond_wire.testing.bodies import BODIES
from beyond_wire.testing.fixture import chat_usage, chunk, openai, sse
from beyond_wire.testing.streams import STREAMS, Stream
from beyond_wire.usage import MAX_COUNT


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (b"0", 0),
        (b"7", 7),
        (str(MAX_COUNT).encode(), MAX_COUNT),
        (str(MAX_COUNT + 1).encode(), None),
        (b"-1", None),
        (b"true", None),
        (b"7.0", None),
        (b"7e0", None),
        (b'"7"', None),
        (b"null", None),
        (b"[7]", None),
        (b"1e999", None),
        (b"9" * 400, None),
    ],
)
def test_what_is_a_count(value: bytes, count: int | None) -> None:
    """Only a believable non-negative integer is a count; anything else is unknown and hides no other count."""
    for body in (
        b'{"usage":{"prompt_tokens":%b,"completion_tokens":3}}',
        b'{"usage":{"input_tokens":%b,"output_tokens":3}}',
    ):
        assert usage_from_body("openai", body % value) == openai(count, 3)
    assert usage_from_body("anthropic", b'{"usage":{"input_tokens":%b,"output_tokens":3}}' % value) == anthropic(
        count, 3
    )


def test_last_known_value_wins_per_field() -> None:
    """Newer facts keep their own known values, zero included, and take the unknown ones from older facts."""
    older = UsageFacts(input_tokens=1, output_tokens=2, reasoning_tokens=5, cache_write_1h_tokens=6, wire="anthropic")
    newer = UsageFacts(output_tokens=0, cache_read_tokens=3, cache_write_tokens=4, wire="anthropic")
    assert newer.over(older) == anthropic(1, 0, 3, 4, 6, 5)
    assert newer.over(None) is newer


def test_facts_encode_without_unknown_counts() -> None:
    """Encoded facts leave unknown counts out: absent means unknown, never null."""
    assert msgspec.json.encode(openai(1, 0)) == b'{"input_tokens":1,"output_tokens":0,"wire":"openai"}'


@pytest.mark.parametrize(
    ("total", "output"),
    [(341, 309), (342, 9), (340, 9), (None, 9)],
)
def test_reasoning_is_added_only_where_the_total_proves_it(total: int | None, output: int) -> None:
    """Reasoning joins the output where total = prompt + completion + reasoning, and nowhere else."""
    usage = chat_usage(32, 9, reasoning=300, total_tokens=total)
    assert usage_from_body("openai", msgspec.json.encode({"usage": usage})) == openai(32, output, 0, 300)


@pytest.mark.parametrize("stream", [body for body in BODIES if body.usage is not None], ids=lambda s: s.name)
def test_body_tail_that_starts_at_any_byte(stream: Stream) -> None:
    """The end of a body gives its usage wherever it was cut before the usage object, and nothing after that."""
    key = stream.body.rfind(b'"usage"')
    for at in range(max(key - 300, 0), len(stream.body)):
        found = usage_from_body(stream.dialect, stream.body[at:], truncated=True)
        assert found == (stream.usage if at <= key else None), at


def test_body_that_is_cut_is_no_answer() -> None:
    """A body that is not whole JSON and not declared a tail has no usage."""
    assert usage_from_body("openai", b'{"usage":{"prompt_tokens":1,"completion_tokens":2}') is None


def test_property_named_usage_after_the_usage() -> None:
    """In a tail, a schema property named usage is no usage object and does not hide the one before it."""
    tail = (
        b'x"}],"usage":{"prompt_tokens":1,"completion_tokens":2},"tools":[{"properties":{"usage":{"type":"string"}}}]}'
    )
    assert usage_from_body("openai", tail, truncated=True) == openai(1, 2)


@pytest.mark.parametrize("ending", [b'"usage":{"prompt_tokens":1}', rb"\"usage\":{\"prompt_tokens\":1}", rb"\\"])
def test_key_inside_a_string_of_a_tail(ending: bytes) -> None:
    """In a tail, a key written inside a string never counts."""
    tail = b'...text","x":"' + ending.replace(b'"', b'\\"') + b'"}'
    assert usage_from_body("openai", tail, truncated=True) is None


def test_key_that_ends_in_usage() -> None:
    """In a tail, a key whose text ends in a quote and the word is another key."""
    assert (
        usage_from_body("openai", rb'{"my \"usage":{"prompt_tokens":1,"completion_tokens":2}}', truncated=True) is None
    )


def test_usage_object_of_a_tail_is_bounded() -> None:
    """In a tail, a usage object above 8 KiB is not read: the search for its end stays bounded."""
    for fill, facts in ((7_000, openai(1, 2)), (9_000, None)):
        tail = b'..."usage":{"x":"%b","prompt_tokens":1,"completion_tokens":2}}' % (b"x" * fill)
        assert usage_from_body("openai", tail, truncated=True) == facts


def test_message_start_cut_in_the_head() -> None:
    """A head that ends inside message_start gives the input as soon as its usage object is whole."""
    head = sse(start(input_tokens=25, output_tokens=1))
    whole = head.index(b"}", head.index(b'"usage"')) + 1
    tail = sse(text("x"), final(output_tokens=9))
    for end in range(len(head)):
        expected = anthropic(25, 9) if end >= whole else anthropic(None, 9)
        assert usage_from_tail("anthropic", tail, head[:end]) == expected, end


def test_head_is_not_needed_twice() -> None:
    """Overlapping head and tail count nothing twice, and the tail's own message_start wins."""
    body = sse(start(input_tokens=25, output_tokens=1), text("x"), final(output_tokens=9))
    other = sse(start(input_tokens=99, output_tokens=1))
    assert usage_from_tail("anthropic", body, body) == anthropic(25, 9)
    assert usage_from_tail("anthropic", body, other) == anthropic(25, 9)


@pytest.mark.parametrize("stream", [s for s in STREAMS if s.model is not None], ids=lambda s: s.name)
def test_model_of_a_head_cut_at_any_byte(stream: Stream) -> None:
    """A head cut anywhere gives the model once its name is whole, and never a part of it."""
    assert stream.model is not None
    name = b'"' + stream.model.encode() + b'"'
    whole = stream.body.index(name) + len(name)
    for end in range(min(len(stream.body), whole + 80)):
        assert model_from_head(stream.body[:end]) == (stream.model if end >= whole else None), end


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (b'{"model":"a","message":{"model":"b"}}', "a"),
        (b'{"message":{"model":"b"},"model":"a"}', "a"),
        (b'{"message":{"model":"b"}}', "b"),
        (b'{"response":{"model":"c"}}', "c"),
        (b'{"model":7,"response":{"model":"c"}}', "c"),
        (b'{"choices":[{"message":{"model":"x"}}],"metadata":{"model":"y"}}', None),
        (b'{"text":"\\"model\\":\\"x\\"","model":"a"}', "a"),
        (b'{"text":"model","k":"a"}', None),
        (b'{"model":""}', None),
        (b'{"model":"' + b"m" * 256 + b'"}', "m" * 256),
        (b'{"model":"' + b"m" * 257 + b'"}', None),
        (b'{"model":"\\u00e9\\n"}', "é\n"),
        (b'{"model":"\\udc00"}', None),
        (b'{"model":null}', None),
        (b'["model","a"]', None),
        (b"not json", None),
        (b"", None),
    ],
)
def test_model_names(body: bytes, model: str | None) -> None:
    """The model is found at the root first, then under message or response, alike in a body, a head and a cut head."""
    assert model_from_body(body) == model
    assert model_from_head(body) == model
    assert model_from_head(b"data: " + body + b"\n\n") == model
    cut = body[:-1] + b',"rest":"cut'
    assert model_from_head(cut) == model
    assert model_from_head(b"event: x\ndata: " + cut) == model


def test_error_event_cut_by_the_tail() -> None:
    """An error counts wherever it stands in the tail; without its data an error event is none."""
    stream = sse(chunk("m", "x"), {"error": {"message": "no"}}, *[chunk("m", "y")] * 50)
    assert error_in_tail(stream)
    assert not error_in_tail(b"event: error\n\n")
    assert error_in_tail(b"event: error\rdata: x")
    assert error_in_tail(b'data: {"type":\ndata: "error"}\n\n')
    assert not error_in_tail(b'data: {"type":["error"]}\n\n')
    assert error_in_tail(b'data: {"type":"response.failed","response":{"error":null}}\n\n')


def test_cross_dialect_rest_of_an_event() -> None:
    """The rest of an Anthropic event at the start of a tail is not read as a Responses usage."""
    body = sse(text("x"), final(output_tokens=15), ("message_stop", {"type": "message_stop"}))
    assert usage_from_tail("openai", body[body.index(b"stop_reason") :]) is None


def test_model_of_a_compatible_provider() -> None:
    """The resolved model of an Anthropic stream stands under message."""
    assert model_from_head(sse(": hi", start(input_tokens=1))) == CLAUDE


@pytest.mark.parametrize(
    "unit",
    [
        b'"\\"',
        b'\\"',
        b'"usage":{',
        b'"usage":{"',
        b'{"usage":{},',
        b'data: "usage"\n',
        b'data: {"usage":{}}\n\n',
        b'"model":"',
        b"[{",
    ],
)
def test_hostile_input_is_linear(unit: bytes) -> None:
    """Input made to restart every search costs about four times as much when it is four times as long."""

    def cost(size: int) -> float:
        data = unit * (size // len(unit))

        def once() -> float:
            began = process_time()
            for dialect in ("openai", "anthropic"):
                usage_from_tail(dialect, data, data[:100] + b'"message_start"')
                usage_from_body(dialect, data, truncated=True)
            model_from_head(b"{" + data)
            error_in_tail(data)
            return process_time() - began

        return min(once() for _ in range(3))

    assert cost(1 << 18) < 12 * cost(1 << 16) + 0.005


def test_facts_become_the_counts_of_a_turn() -> None:
    """OpenAI's input has the cached part taken out, and never falls below 0; Anthropic's stays; unknown is 0."""
    openai = UsageFacts(input_tokens=10, cache_read_tokens=4, output_tokens=7, reasoning_tokens=2, wire="openai")
    assert openai.to_token_usage() == TokenUsage(
        input_tokens=6, cache_read_tokens=4, output_tokens=7, reasoning_tokens=2
    )
    assert UsageFacts(input_tokens=3, cache_read_tokens=4, wire="openai").to_token_usage().input_tokens == 0
    anthropic = UsageFacts(input_tokens=10, cache_read_tokens=40, cache_write_tokens=5, wire="anthropic")
    assert anthropic.to_token_usage() == TokenUsage(input_tokens=10, cache_read_tokens=40, cache_write_tokens=5)
    part = UsageFacts(cache_write_1h_tokens=7, wire="anthropic").to_token_usage()
    assert (part.cache_write_tokens, part.cache_write_1h_tokens) == (7, 7)
    assert UsageFacts(wire="openai").to_token_usage() == TokenUsage()
