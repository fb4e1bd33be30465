"""Counting deltas: same counts for any chunking, no double counting, bounded memory."""

from __future__ import annotations

import msgspec
import pytest

from beyond_wire import DeltaCounter, Family, estimate_output_tokens, prompt_text_bytes
from beyond_wire.deltas import MAX_LINE_BYTES
from beyond_wire.json_scan import utf8_length
from beyond_wire.testing.anthropic_streams import CLOSE, OPEN, PING, STOP, final, start, text
from beyond_wire.testing.chunking import byte_by_byte, every_way
from beyond_wire.testing.fixture import DONE, Event, Fields, chat_usage, chunk, named, sse
from beyond_wire.testing.streams import STREAMS, Stream

GPT = "gpt-4o"


def _delta(**delta: object) -> Fields:
    return chunk(GPT, choices=[{"index": 0, "delta": delta, "finish_reason": None}])


def _tool(arguments: str) -> Fields:
    return {"index": 0, "id": "call_1", "type": "function", "function": {"name": "read", "arguments": arguments}}


def _block(kind: str, field: str, words: str) -> Event:
    return named({"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: words}})


def _responses(kind: str, **fields: object) -> Event:
    return named({"type": f"response.{kind}", "item_id": "i", **fields})


UNICODE_ESCAPES = rb'data: {"choices":[{"delta":{"content":"\u0041\u00e9\u20ac\ud83d\ude42"}}]}' + b"\n"

CASES: list[tuple[str, Family, bytes, int, int]] = [
    ("chat text", "openai", sse(chunk(GPT, "Hello"), chunk(GPT, " you"), chunk(GPT), DONE), 2, 9),
    ("chat role only", "openai", sse(_delta(role="assistant", content=""), _delta()), 0, 0),
    ("chat first text with role", "openai", sse(_delta(role="assistant", content="Hi")), 1, 2),
    ("chat escapes", "openai", sse(chunk(GPT, 'a"\n\\\t')), 1, 5),
    ("chat four-byte character", "openai", sse(chunk(GPT, "🙂é")), 1, 6),
    ("chat spaced json", "openai", b'data: {"choices": [{"delta": {"content": "Hi"}}]}\n\n', 1, 2),
    (
        "chat unicode escapes",
        "openai",
        UNICODE_ESCAPES,
        1,
        10,
    ),
    ("chat tool arguments", "openai", sse(_delta(tool_calls=[_tool('{"path":'), _tool('"a"}')])), 1, 12),
    ("chat refusal", "openai", sse(_delta(refusal="no")), 1, 2),
    ("chat reasoning", "openai", sse(_delta(reasoning_content="hmm")), 1, 3),
    ("chat reasoning twice", "openai", sse(_delta(reasoning="hmm", reasoning_content="hmm")), 1, 3),
    (
        "chat reasoning details",
        "openai",
        sse(_delta(content="", reasoning="hmm", reasoning_details=[{"type": "reasoning.text", "text": "hmm"}])),
        1,
        3,
    ),
    ("chat content parts", "openai", sse(_delta(content=[{"type": "text", "text": "Hi"}])), 1, 2),
    (
        "chat quoted source",
        "openai",
        sse(_delta(content="Hi", annotations=[{"url_citation": {"url": "u", "content": "long source"}}])),
        1,
        2,
    ),
    ("chat usage chunk", "openai", sse(chunk(GPT, choices=[], usage=chat_usage(9, 9))), 0, 0),
    ("chat text that looks like a delta", "openai", sse(chunk(GPT, '{"content":"x"}')), 1, 15),
    ("completions text", "openai", sse({"object": "text_completion", "choices": [{"text": "Hi", "index": 0}]}), 1, 2),
    ("no last line end", "openai", sse(chunk(GPT, "Hi")).rstrip(), 0, 0),
    ("crlf", "openai", sse(chunk(GPT, "Hi"), chunk(GPT, "Ho")).replace(b"\n", b"\r\n"), 2, 4),
    ("cr", "openai", sse(chunk(GPT, "Hi"), chunk(GPT, "Ho")).replace(b"\n", b"\r"), 2, 4),
    ("comment", "openai", b': {"choices":[{"delta":{"content":"Hi"}}]}\n\n', 0, 0),
    (
        "responses",
        "openai",
        sse(
            _responses("created", response={"output": []}),
            _responses("output_text.delta", delta="Hi"),
            _responses("reasoning_summary_text.delta", delta="hmm"),
            _responses("function_call_arguments.delta", delta='{"a":'),
            _responses("output_audio.delta", delta="UklGRg=="),
            _responses("output_text.done", text="Hi there"),
            _responses("function_call_arguments.done", arguments='{"a":1}'),
            _responses("completed", response={"output": [{"content": [{"text": "Hi there"}]}]}),
        ),
        3,
        10,
    ),
    (
        "anthropic",
        "anthropic",
        sse(
            start(input_tokens=25, output_tokens=1),
            OPEN,
            PING,
            text("Hello"),
            text('"\n'),
            _block("thinking_delta", "thinking", "hmm"),
            _block("input_json_delta", "partial_json", '{"a"'),
            _block("input_json_delta", "partial_json", ""),
            _block("signature_delta", "signature", "EqQB"),
            CLOSE,
            final(output_tokens=15),
            STOP,
        ),
        4,
        14,
    ),
]


@pytest.mark.parametrize(("dialect", "body", "events", "size"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_counts_for_every_cut(dialect: Family, body: bytes, events: int, size: int) -> None:
    """Each case counts its deltas and their UTF-8 bytes, whole, byte by byte and at every cut."""
    for chunks in every_way(body):
        counter = DeltaCounter(dialect)
        for piece in chunks:
            counter.feed(piece)
        assert (counter.events, counter.text_bytes) == (events, size), chunks


@pytest.mark.parametrize("stream", [s for s in STREAMS if s.sse and len(s.body) < 20_000], ids=lambda s: s.name)
def test_recorded_streams_byte_by_byte(stream: Stream) -> None:
    """Recorded streams count the same whole and byte by byte."""
    whole, fine = DeltaCounter(stream.dialect), DeltaCounter(stream.dialect)
    whole.feed(stream.body)
    for piece in byte_by_byte(stream.body):
        fine.feed(piece)
    assert repr(whole) == repr(fine)


def _held(counter: DeltaCounter) -> int:
    return int(repr(counter).partition("held=")[2].removesuffix("B>"))


def test_memory_is_bounded() -> None:
    """A line above the bound counts nothing, holds nothing, and the next line counts again, whole or in pieces."""
    long = b'data: {"choices":[{"delta":{"content":"' + b"x" * MAX_LINE_BYTES + b'"}}]}\n\n'
    body = long + sse(chunk(GPT, "Hi"))
    for size in (len(body), 1000):
        counter = DeltaCounter("openai")
        for at in range(0, len(body), size):
            counter.feed(body[at : at + size])
            assert _held(counter) <= MAX_LINE_BYTES
        assert (counter.events, counter.text_bytes) == (1, 2)


def test_rest_of_an_overlong_line_counts_nothing() -> None:
    """What follows in an overlong line stays part of it, even when it looks like an event."""
    counter = DeltaCounter("openai")
    for piece in (b"x" * MAX_LINE_BYTES, b"x", sse(chunk(GPT, "Hi")), sse(chunk(GPT, "Hello"))):
        counter.feed(piece)
    assert (counter.events, counter.text_bytes) == (1, 5)


def test_line_at_the_bound_counts_for_every_line_end() -> None:
    """A line of exactly the bound counts, and one byte more does not, however its end is cut."""
    frame = b'data: {"choices":[{"delta":{"content":"' + b'"}}]}'
    fill = MAX_LINE_BYTES - len(frame)
    for extra, expected in ((0, 1), (1, 0)):
        line = frame.replace(b'""', b'"' + b"x" * (fill + extra) + b'"')
        for chunks in ([line + b"\r\n"], [line + b"\r", b"\n"], [line, b"\r\n"], [line[:99], line[99:], b"\n"]):
            counter = DeltaCounter("openai")
            for piece in chunks:
                counter.feed(piece)
            assert counter.events == expected


@pytest.mark.parametrize(("events", "size", "tokens"), [(0, 0, 0), (3, 0, 3), (3, 18, 4), (5, 18, 5), (0, 8, 1)])
def test_estimate(events: int, size: int, tokens: int) -> None:
    """The estimate is the larger of one token an event and one for 4.5 bytes, rounded down."""
    assert estimate_output_tokens(events, size) == tokens


@pytest.mark.parametrize(
    ("string", "size"),
    [
        ("", 0),
        ("abc", 3),
        (r"\n\"\\\/", 4),
        (r"\u0041", 1),
        (r"\u00e9", 2),
        (r"\u20ac", 3),
        (r"\ud83d\ude42", 4),
        (r"\\u0041", 6),
    ],
)
def test_utf8_length(string: str, size: int) -> None:
    """A JSON string's length is that of its UTF-8 text, escapes undone."""
    assert utf8_length(string.encode()) == size


PROMPTS: list[tuple[str, object, int]] = [
    ("chat", {"model": "gpt", "messages": [{"role": "user", "content": "Hello"}]}, 5),
    ("chat parts", {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi 🙂"}]}]}, 7),
    (
        "image",
        {"messages": [{"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]},
        0,
    ),
    (
        "anthropic image",
        {"messages": [{"content": [{"type": "image", "source": {"type": "base64", "data": "AAAA"}}]}]},
        0,
    ),
    ("tool ids", {"messages": [{"role": "tool", "tool_call_id": "call_1", "content": "ok"}]}, 2),
    ("anthropic", {"system": "Be kind", "messages": [{"role": "user", "content": "Hi"}]}, 9),
    ("system blocks", {"system": [{"type": "text", "text": "Be kind"}]}, 7),
    ("responses", {"instructions": "Be kind", "input": "Hi"}, 9),
    ("responses items", {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]}, 2),
    ("embeddings list", {"input": ["ab", 'c"d', "é"]}, 7),
    ("prompt", {"prompt": "Once"}, 4),
    ("escapes", {"prompt": 'a"\n\\'}, 4),
    ("quoted keys", {"prompt": '"text":"x"'}, 10),
    ("schema", {"tools": [{"parameters": {"properties": {"text": {"type": "string", "description": "long"}}}}]}, 0),
    ("token ids", {"prompt": [1, 2, 3]}, 0),
]


@pytest.mark.parametrize(("body", "size"), [p[1:] for p in PROMPTS], ids=[p[0] for p in PROMPTS])
def test_prompt_text(body: object, size: int) -> None:
    """Human text of a prompt is counted in UTF-8 bytes; images, ids and schemas are not."""
    assert prompt_text_bytes(msgspec.json.encode(body)) == size


def test_prompt_text_of_a_cut_body() -> None:
    """A body cut inside a string counts what is there."""
    assert prompt_text_bytes(b'{"messages":[{"content":"Hello wor') == 9
