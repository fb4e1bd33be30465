"""One oracle for hostile bytes: a stream or body of any dialect is accepted or a `WireError`, however it is cut."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_wire import (
    BodyInvalid,
    ContentBlockStop,
    MessageStart,
    ProviderError,
    TokenUsage,
    Turn,
    turn_of,
    usage_from_body,
)
from beyond_wire.testing.tables import ANTHROPIC_TABLES, CHAT_TABLES, RESPONSES_TABLES
from beyond_wire.testing.telling import told
from beyond_wire.usage import MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_wire import DialectName
    from beyond_wire.testing.recorded import Tables

COMMON = (
    b"null",
    b"true",
    b"{}",
    b"[]",
    b'{"',
    b"}",
    b'"',
    b"\\",
    b"\\ud800",
    b"\n\n",
    b"\r",
    b"data: ",
    b"event: error\n",
    b'"type":[],',
    b'"error":{"type":1},',
    b'"index":-1,',
    b'"index":1e3,',
    b"1e999",
    b"9" * 5000,
    b"[" * 3000,
    b"\xff",
    b"\xef\xbb\xbf",
    b"data: [DONE]\n\n",
)
OWN = {
    "chat": (
        b'"finish_reason":"stop"',
        b'"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]',
        b'"choices":[]',
        b'"x_groq":{"error":1}',
        b'"usage":{"prompt_tokens":',
    ),
    "responses": (
        b'"type":"response.completed"',
        b'"output_index":-1,',
        b'"usage":{"input_tokens":',
        b'data: {"type":"response.completed","response":{}}\n\n',
        b'data: {"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","name":""}}\n\n',
    ),
    "anthropic": (
        b'"type":"message_stop"',
        b'data: {"type":"message_stop"}\n\n',
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"","name":""}}\n\n',
    ),
}
ALL: dict[DialectName, Tables] = {
    tables.dialect.name: tables for tables in (CHAT_TABLES, RESPONSES_TABLES, ANTHROPIC_TABLES)
}


@st.composite
def hostile(draw: st.DrawFn, name: DialectName, sources: list[bytes]) -> bytes:
    """Draw random bytes, splices alone, or a recorded answer with a few bytes cut out, doubled or replaced."""
    splices = st.sampled_from(COMMON + OWN[name])
    kind = draw(st.sampled_from(("mutated", "mutated", "spliced", "random")))
    if kind == "random":
        return draw(st.binary(max_size=300))
    if kind == "spliced":
        return b"".join(draw(st.lists(splices, max_size=12)))
    body = draw(st.sampled_from(sources))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 40)))
        body = body[:start] + draw(splices | st.binary(max_size=8) | st.just(body[start:end] * 2)) + body[end:]
    return body


def _of_each(sources: Callable[[Tables], list[bytes]]) -> st.SearchStrategy[tuple[DialectName, bytes]]:
    """Draw a dialect by its name, for short reports, and hostile bytes for it."""
    return st.one_of([st.tuples(st.just(name), hostile(name, sources(tables))) for name, tables in ALL.items()])


HOSTILE_STREAMS = _of_each(lambda tables: [turn.stream for turn in tables.turns])
HOSTILE_BODIES = _of_each(lambda tables: [turn.body for turn in tables.turns if turn.body])


def _check(usage: TokenUsage) -> None:
    counts = [getattr(usage, name) for name in TokenUsage.__struct_fields__]
    # Reasoning that stands outside of the output is added to it.
    assert all(type(count) is int and 0 <= count <= 2 * MAX_COUNT for count in counts)


@settings(max_examples=1_200)
@given(HOSTILE_STREAMS, st.lists(st.integers(0, 400), max_size=5))
def test_streams_raise_only_wire_errors(drawn: tuple[DialectName, bytes], cuts: list[int]) -> None:
    """Whatever the bytes and their cuts: the same well-formed events, the same fault, believable usage."""
    name, stream = drawn
    dialect = ALL[name].dialect
    whole = told(dialect, [stream])
    bounds = [0, *[min(cut, len(stream)) for cut in sorted(cuts)], len(stream)]
    again = told(dialect, [stream[start:end] for start, end in pairwise(bounds)])
    assert (again.events, str(again.fault), again.usage) == (whole.events, str(whole.fault), whole.usage)
    _check(whole.usage)
    assert isinstance(turn_of(whole.events), Turn)
    assert [isinstance(event, MessageStart) for event in whole.events] == [at == 0 for at in range(len(whole.events))]
    stopped = [event.index for event in whole.events if isinstance(event, ContentBlockStop)]
    opened = {index for event in whole.events if (index := getattr(event, "index", None)) is not None}
    assert len(set(stopped)) == len(stopped)
    # A fault may come between the opening of a block and the first that is told of it.
    assert whole.fault is not None or set(stopped) == opened == set(range(len(opened)))


@settings(max_examples=1_200)
@given(HOSTILE_BODIES)
def test_bodies_raise_only_wire_errors(drawn: tuple[DialectName, bytes]) -> None:
    """Whatever the bytes, a body gives a turn, with the usage that the gateway reads, or one of two wire errors."""
    name, body = drawn
    try:
        turn = ALL[name].dialect.decode_body(body)
    except (ProviderError, BodyInvalid):
        return
    _check(turn.usage)
    facts = usage_from_body(ALL[name].family, body)
    assert turn.usage == (TokenUsage() if facts is None else facts.to_token_usage())
