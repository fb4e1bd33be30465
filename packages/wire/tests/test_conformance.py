"""Each dialect keeps every rule of dialects; a dialect that breaks some is told all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from beyond_wire import chat
from beyond_wire.errors import StreamTruncated
from beyond_wire.testing.conformance import MOST, RULES, Rule, broken_rules, check_dialect
from beyond_wire.testing.tables import ANTHROPIC_TABLES, CHAT_TABLES, RESPONSES_TABLES
from beyond_wire.types import MessageStop, StreamEvent, TokenUsage

if TYPE_CHECKING:
    from beyond_wire.testing.recorded import Tables
    from beyond_wire.types import Caps, DialectName, ModelRequest, StreamDecoder, Turn

ALL = [CHAT_TABLES, RESPONSES_TABLES, ANTHROPIC_TABLES]


def _rule(rule: Rule) -> str:
    return rule.__name__


def _dialect(tables: Tables) -> str:
    return tables.dialect.name


@pytest.mark.parametrize("rule", RULES, ids=_rule)
@pytest.mark.parametrize("tables", ALL, ids=_dialect)
def test_dialect_keeps_the_rule(tables: Tables, rule: Rule) -> None:
    """The dialect keeps this rule over all that is recorded of it."""
    check_dialect(tables, (rule,))


@pytest.mark.parametrize("tables", ALL, ids=_dialect)
def test_tables_are_wide(tables: Tables) -> None:
    """The tables hold many streams, bodies and requests under different names, faults and every stop reason."""
    assert len({turn.name for turn in tables.turns}) == len(tables.turns) >= 40
    assert len([turn for turn in tables.turns if turn.body is not None]) >= 20
    assert len(tables.turns) - len(tables.clean) >= 4
    assert len({case.name for case in tables.requests}) == len(tables.requests) >= 50
    assert len(tables.streams) >= 7
    assert len(tables.bodies) >= 2
    stops = {event.stop_reason for turn in tables.clean for event in turn.events if isinstance(event, MessageStop)}
    own = {"responses": set[str](), "chat": {"other"}, "anthropic": {"stop_sequence", "other"}}[tables.dialect.name]
    assert stops == {"end_turn", "tool_use", "max_tokens", "refusal"} | own


class BrokenDecoder:
    """Chat's decoder, but a cut is a clean end, a fault is forgotten, and usage is counted twice."""

    def __init__(self) -> None:
        self._inner: StreamDecoder = chat.decoder()

    @property
    def usage(self) -> TokenUsage:
        known = self._inner.usage
        return replace(known, input_tokens=2 * known.input_tokens)

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        try:
            return self._inner.feed(chunk)
        except Exception:
            self._inner = chat.decoder()
            raise

    def finish(self) -> list[StreamEvent]:
        try:
            return self._inner.finish()
        except StreamTruncated:
            return []


class BrokenAnswers:
    """Chat, but for its decoder and its bodies."""

    name: DialectName = "chat"
    path = chat.path
    headers = staticmethod(chat.headers)
    encode = staticmethod(chat.encode)
    encode_prepared = staticmethod(chat.encode_prepared)

    def decoder(self) -> StreamDecoder:
        return BrokenDecoder()

    def decode_body(self, body: bytes) -> Turn:
        turn = chat.decode_body(body)
        return replace(turn, usage=TokenUsage())


class BrokenRequests:
    """Chat, but each request has one byte more, is numbered, and carries what was stored."""

    name: DialectName = "chat"
    path = chat.path
    decoder = staticmethod(chat.decoder)
    decode_body = staticmethod(chat.decode_body)

    def __init__(self) -> None:
        self._count = 0

    def headers(self, request: ModelRequest, caps: Caps) -> dict[str, str]:
        return {**chat.headers(request, caps), "x-new": "1"}

    def encode(self, request: ModelRequest, caps: Caps) -> bytes:
        self._count += 1
        stored = b"".join((message.model_id or "").encode() for message in request.messages)
        return b"%d %s" % (self._count, stored) + chat.encode(replace(request, max_tokens=1), caps)

    def encode_prepared(self, request: ModelRequest, caps: Caps, *, source: ModelRequest | None = None) -> bytes:
        return chat.encode_prepared(request, caps, source=source)


def _broken(tables: Tables) -> dict[str, str]:
    short = replace(tables, turns=tables.turns[:12] + tables.turns[-12:])
    return {line.removeprefix("- ").partition(":")[0]: line for line in broken_rules(short)}


def test_broken_answers_are_told() -> None:
    """A dialect whose decoder is wrong is told each rule that it breaks, with places, and none that it keeps."""
    broken = _broken(replace(CHAT_TABLES, dialect=BrokenAnswers()))
    assert set(broken) == {
        "every_way_to_cut",
        "cut_between_events",
        "cut_at_every_byte",
        "after_a_fault",
        "repr_hides_content",
        "usage_as_the_gateway_reads_it",
        "body_and_stream_agree",
        "usage_of_bodies",
    }
    assert "['input_tokens'] differ" in broken["usage_as_the_gateway_reads_it"]
    assert f"(+{len(CHAT_TABLES.bodies)} more)" not in broken["usage_of_bodies"]


def test_broken_requests_are_told() -> None:
    """A dialect whose requests are wrong is told each rule that it breaks, and what it does to break it."""
    broken = _broken(replace(CHAT_TABLES, dialect=BrokenRequests()))
    assert set(broken) == {
        "exact_bytes",
        "prepared_requests",
        "storage_fields",
        "growing_history",
        "strings",
        "fields_that_cannot_be_encoded",
    }
    assert "differs the second time" in broken["exact_bytes"]
    assert "has the headers {'x-new': '1'}" in broken["exact_bytes"]
    assert "b'77' is sent" in broken["storage_fields"]
    assert broken["strings"].startswith("- strings: raises DecodeError(")
    assert broken["exact_bytes"].count(";") == MOST - 1
    assert "max_tokens is sent" in broken["fields_that_cannot_be_encoded"]


def test_all_broken_rules_are_one_error() -> None:
    """`check_dialect` raises once, naming the dialect and every rule that it breaks."""
    with pytest.raises(AssertionError, match=r"dialect chat breaks:\n- exact_bytes: .*\n- prepared_requests: "):
        check_dialect(replace(CHAT_TABLES, dialect=BrokenRequests()), RULES[-6:-4])
