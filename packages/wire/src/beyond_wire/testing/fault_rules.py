"""What every dialect does with faults and with whole bodies: each rule yields where these tables' dialect breaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from beyond_wire.accumulate import turn_of
from beyond_wire.errors import MAX_EXCERPT, BodyInvalid, ProviderError, WireError
from beyond_wire.testing.fixture import named, sse
from beyond_wire.testing.telling import fed, told, unfinished
from beyond_wire.types import TextDelta, TokenUsage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beyond_wire.testing.fixture import Event, Fields
    from beyond_wire.testing.recorded import Tables
    from beyond_wire.testing.telling import Told
    from beyond_wire.types import Turn

_DEEP = b"[" * 100_000 + b"]" * 100_000
_ERRORS = (
    (b'{"type":"error","error":{"type":"not_found_error","message":"no model"}}', "not_found_error", "no model"),
    (b'{"error":{"message":"no model","type":"not_found_error","code":null}}', "not_found_error", "no model"),
    (b'{"error":"down"}', "error", "down"),
    (b'{"type":"error","code":"overloaded_error","message":"busy"}', "overloaded_error", "busy"),
)
_NO_ANSWERS = (b"", b"null", b"{}", b"<html>502 Bad Gateway</html>", b"[]", b'{"a":"\xff"}', b'{"a":' + _DEEP + b"}")


def error_in_the_stream(tables: Tables) -> Iterator[str]:
    """An error event, named or not, is the provider's error; all before it is in hand, its type says if to retry."""
    for turn in tables.clean:
        begun = b"".join(unfinished(tables, turn))
        for kind, retryable in (("overloaded_error", True), ("server_error", True), ("insufficient_quota", False)):
            error: Fields = {"type": "error", "error": {"type": kind, "message": "No", "retry_after": 3}}
            shapes: tuple[Event, ...] = (error, named(error), {"error": error["error"]})
            for event in shapes:
                got = fed(tables.dialect, begun + sse(event))
                if got.events != fed(tables.dialect, begun).events or not _is_error(got, kind, retryable=retryable):
                    yield f"{turn.name} and then {event} gives {got}"


def _is_error(got: Told, kind: str, *, retryable: bool) -> bool:
    fault = got.fault
    return (
        isinstance(fault, ProviderError)
        and (fault.type, fault.message, fault.retry_after, fault.retryable) == (kind, "No", 3, retryable)
        and str(fault) == f"provider stream error: {kind}: No"
    )


def malformed_events(tables: Tables) -> Iterator[str]:
    """Invalid UTF-8 and what is no JSON are faults by name, raised with all that the same chunk held before them."""
    for turn in tables.clean:
        begun = b"".join(unfinished(tables, turn))
        for line, code, words in (
            (b"data: abc\xff\n\n", "sse_bad_utf8", ("invalid UTF-8 in SSE stream: ", "at byte 3 ")),
            (b"data: {oops\n\n", "sse_bad_json", ("malformed SSE json: ",)),
            (b'data: {"x":' + _DEEP + b"}\n\n", "sse_bad_json", ("malformed SSE json: nested too deeply",)),
        ):
            got = fed(tables.dialect, begun + line)
            text = str(got.fault)
            if got.code != code or got.fault is None or got.fault.retryable or any(word not in text for word in words):
                yield f"{turn.name} and then {line[:20]!r} gives {got.fault!r}"
            elif got.events != fed(tables.dialect, begun).events:
                yield f"{turn.name} and then {line[:20]!r} loses events: {got.events}"


def done_is_no_json(tables: Tables) -> Iterator[str]:
    """`[DONE]` never reaches the JSON reader; before the answer is complete it is no clean end."""
    for turn in tables.clean:
        got = told(tables.dialect, [*unfinished(tables, turn), b"data: [DONE]\n\n"])
        if got.code != "stream_truncated":
            yield f"{turn.name} and then [DONE] gives {got}"


def repr_hides_content(tables: Tables) -> Iterator[str]:
    """The repr of a decoder names its state and no text of the answer."""
    for turn in tables.turns:
        decoder = tables.dialect.decoder()
        try:
            decoder.feed(turn.stream)
        except WireError as fault:
            if fault.code not in repr(decoder):
                yield f"{turn.name}: {decoder!r} does not name {fault.code}"
        texts = [event.text for event in turn.events if isinstance(event, TextDelta) and len(event.text) > 3]
        if any(text in repr(decoder) for text in texts):
            yield f"{turn.name}: {decoder!r} shows text"


def body_and_stream_agree(tables: Tables) -> Iterator[str]:
    """A whole answer, with or without white space, gives the turn of its stream, and the turn is plain data."""
    for turn in tables.turns:
        if turn.body is None:
            continue
        streamed = turn_of(told(tables.dialect, [turn.stream]).events)
        for body in (turn.body, msgspec.json.format(turn.body, indent=-1), msgspec.json.format(turn.body, indent=2)):
            whole = _decoded(tables, body)
            if whole != streamed:
                yield f"{turn.name}: the body is {whole}, the stream {streamed}"
        if msgspec.json.decode(msgspec.json.encode(streamed), type=type(streamed)) != streamed:
            yield f"{turn.name}: the turn changes when it is stored"


def usage_of_bodies(tables: Tables) -> Iterator[str]:
    """Over every recorded body with usage the turn counts what the gateway bills."""
    for body in tables.bodies:
        whole = _decoded(tables, body.body)
        bill = TokenUsage() if body.usage is None else body.usage.to_token_usage()
        if isinstance(whole, WireError) or whole.usage != bill:
            yield f"{body.name} is {whole}, billed {bill}"


def error_bodies(tables: Tables) -> Iterator[str]:
    """An error object in any of its four shapes is the provider's error."""
    for body, kind, message in _ERRORS:
        got = _decoded(tables, body)
        if not isinstance(got, ProviderError) or (got.type, got.message) != (kind, message):
            yield f"{body!r} gives {got!r}"


def bodies_that_are_no_answer(tables: Tables) -> Iterator[str]:
    """What is neither an answer nor an error is invalid, final, and its beginning is kept for diagnosis."""
    cut = [turn.body[:-1] for turn in tables.turns if turn.body is not None]
    for body in (*_NO_ANSWERS, *tables.no_answers, *cut):
        got = _decoded(tables, body)
        kept = body.decode(errors="replace")[:MAX_EXCERPT]
        if not isinstance(got, BodyInvalid) or got.retryable or got.body != kept:
            yield f"{body[:80]!r} gives {got!r}"


def _decoded(tables: Tables, body: bytes) -> Turn | WireError:
    try:
        return tables.dialect.decode_body(body)
    except WireError as fault:
        return fault


RULES = (
    error_in_the_stream,
    malformed_events,
    done_is_no_json,
    repr_hides_content,
    body_and_stream_agree,
    usage_of_bodies,
    error_bodies,
    bodies_that_are_no_answer,
)
"""All rules of faults and bodies."""
