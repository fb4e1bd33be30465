"""Targets that read JSON and streams: request bodies on their way out, response bodies on their way back."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, cast

from beyond_gateway.inflate import Inflater
from beyond_gateway.model_scan import RootScanner
from beyond_gateway.redact import PoolKeyScrub, overwrite
from beyond_gateway.request_scan import RequestFacts, RequestScan, body_facts, root_scanner, scan_facts
from beyond_gateway.usage_event_filter import UsageEventFilter
from beyond_gateway.usage_request import ask_for_usage
from beyond_wire import (
    DeltaCounter,
    SseBadUtf8,
    SseParser,
    UsageFacts,
    error_in_tail,
    estimate_output_tokens,
    model_from_body,
    model_from_head,
    prompt_text_bytes,
    usage_from_body,
    usage_from_tail,
)
from beyond_wire.usage import MAX_COUNT, Family, facts_and_model
from fuzz import oracle

if TYPE_CHECKING:
    from collections.abc import Callable

_DIALECTS: Final[tuple[Family, Family]] = ("openai", "anthropic")
_KEY: Final = b"aab"  # begins like itself, so that a cut may fall into two possible beginnings
_LIMIT: Final = 258


# -- requests


def root_scan(data: bytes) -> None:
    subject = oracle.pieces(data)

    def scan(pieces: list[bytes]) -> tuple[object, int | None]:
        scanner = RootScanner((b"model", b"stream"), _LIMIT)
        for piece in pieces:
            scanner.feed(piece)
            assert scanner.kept_bytes <= _LIMIT + 1
        return scanner.members, scanner.end

    members, _ = oracle.one_answer(subject, scan)
    value = oracle.json_value(subject.whole)
    if isinstance(value, dict):
        found = cast("dict[bytes, Any]", members)
        for key in (b"model", b"stream"):
            assert (key in found) == (key.decode() in value), "a root member is missed or made up"
            if key in found:
                assert found[key].raw == subject.whole[found[key].start : found[key].end][: len(found[key].raw)]
                _is_value(found[key].raw, cast("object", value[key.decode()]))


def _is_value(raw: bytes, value: object) -> None:
    if isinstance(value, dict | list):
        assert raw in (b"{", b"[")
    elif len(raw) <= _LIMIT:
        assert oracle.json_value(raw) == value


def request_scan(data: bytes) -> None:
    subject = oracle.pieces(data)

    def scan(pieces: list[bytes]) -> RequestFacts:
        kept, released, scanner = RequestScan(), RequestScan(), root_scanner()
        for number, piece in enumerate(pieces):
            kept.feed(piece)
            released.feed(piece)
            scanner.feed(piece)
            if number == 1:
                released.release()
        assert released.finish() == scan_facts(scanner) == kept.finish(), "two readers, two answers"
        assert kept.held() == subject.whole
        return kept.finish()

    facts = oracle.one_answer(subject, scan)
    assert facts == body_facts(subject.whole)
    value = oracle.json_value(subject.whole)
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        assert facts.stream is (members.get("stream") is True)
        model = members.get("model", NotImplemented)
        if model is NotImplemented:
            assert facts.model is None
        elif facts.model not in (model, "unknown"):
            raise AssertionError(f"another model: {facts.model!r}")
    prompt = prompt_text_bytes(subject.whole)
    assert 0 <= prompt <= len(subject.whole)


def usage_request(data: bytes) -> None:
    ask = ask_for_usage(data)
    value = oracle.json_value(data)
    if not isinstance(value, dict):
        return
    before = cast("dict[str, Any]", value)
    streams = before.get("stream") is True
    assert ask.streaming is streams
    assert ask.hide_usage_event is (ask.body != data)
    if not streams:
        assert ask.body == data
        return
    after = oracle.json_value(ask.body)
    assert isinstance(after, dict)
    options = before.pop("stream_options", None)
    kept = cast("dict[str, Any]", options) if isinstance(options, dict) else {}
    wanted = {**kept, "include_usage": True}
    assert cast("dict[str, Any]", after).pop("stream_options") == wanted
    assert after == before, "another member has changed"
    if kept.get("include_usage") is True:
        assert ask.body == data


# -- responses


def sse(data: bytes) -> None:
    subject = oracle.pieces(data)

    def parse(pieces: list[bytes]) -> tuple[list[tuple[str, bytes]], bool]:
        parser = SseParser()
        found: list[tuple[str, bytes]] = []
        try:
            for piece in pieces:
                found += [(event.event, event.data.encode()) for event in parser.feed(piece)]
            found += [(event.event, event.data.encode()) for event in parser.finish()]
        except SseBadUtf8 as fault:
            return found + [(event.event, event.data.encode()) for event in fault.events], True
        return found, False

    found, failed = oracle.one_answer(subject, parse)
    wanted = oracle.events(subject.whole)
    assert found == (wanted[: len(found)] if failed else wanted)
    assert failed is any(_is_bad_utf8(text) for _, text in wanted)
    assert not failed or _is_bad_utf8(wanted[len(found)][1])


def _is_bad_utf8(data: bytes) -> bool:
    return data.decode(errors="ignore").encode() != data


_EVENT = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")


def usage_event_filter(data: bytes) -> None:
    subject = oracle.pieces(data)

    def hide(pieces: list[bytes]) -> bytes:
        hiding = UsageEventFilter()
        return b"".join([hiding.feed(piece) for piece in pieces]) + hiding.finish()

    out = oracle.one_answer(subject, hide)
    kept: list[bytes] = []
    for event in _events_with_gaps(subject.whole):
        alone = hide([event])
        assert alone in (b"", event), "a part of an event is gone"
        kept.append(alone)
        hidden = bool(event) and not alone
        assert not hidden or _is_usage_event(event), "an event that is no usage event is hidden"
        if _is_usage_event(event) and event.count(b'"choices"') == 1:
            assert hidden, "a usage event is shown"
    assert out == b"".join(kept), "what is hidden depends on its neighbours"


def _events_with_gaps(stream: bytes) -> list[bytes]:
    """Cut a stream into its events, each with its blank line, and the line ends between them."""
    edges = [0]
    at = 0
    while at < len(stream):
        gap = re.compile(rb"[\r\n]*").match(stream, at)
        begin = gap.end() if gap else at
        end = _EVENT.search(stream, begin)
        at = end.end() if end else len(stream)
        edges += [begin, at]
    return [stream[start:stop] for start, stop in pairwise(edges)]


def _is_usage_event(event: bytes) -> bool:
    found = oracle.events(b"\n" + event)  # a byte-order mark has no meaning in the middle of a stream
    value = oracle.json_value(found[0][1]) if len(found) == 1 else None
    if not isinstance(value, dict):
        return False
    members = cast("dict[str, object]", value)
    return members.get("choices") == [] and isinstance(members.get("usage"), dict)


def usage_facts(data: bytes) -> None:
    subject = oracle.pieces(data)
    body = subject.whole
    for dialect in _DIALECTS:
        facts, model = facts_and_model(dialect, body)
        assert (facts, model) == (usage_from_body(dialect, body), model_from_body(body))
        for piece in (body, *subject.ways[1]):
            for counts in (facts, usage_from_tail(dialect, piece, body[:100]), usage_from_tail(dialect, body, piece)):
                _is_believable(counts, dialect)
            _is_believable(usage_from_body(dialect, piece, truncated=True), dialect)

        def count(pieces: list[bytes], dialect: Family = dialect) -> tuple[int, int]:
            counter = DeltaCounter(dialect)
            for piece in pieces:
                counter.feed(piece)
            return counter.events, counter.text_bytes

        deltas, text = oracle.one_answer(subject, count)
        assert 0 <= text <= len(body)
        assert estimate_output_tokens(deltas, text) >= deltas
    assert isinstance(error_in_tail(body), bool)
    for model in (model_from_head(body), model_from_body(body)):
        assert model is None or 0 < len(model.encode()) <= 256


def _is_believable(facts: UsageFacts | None, dialect: Family) -> None:
    if facts is None:
        return
    assert facts.wire == dialect
    counts = [getattr(facts, name) for name in UsageFacts.__struct_fields__ if name != "wire"]
    assert any(count is not None for count in counts)
    assert all(count is None or (type(count) is int and 0 <= count <= 2 * MAX_COUNT) for count in counts)


def pool_key_scrub(data: bytes) -> None:
    subject = oracle.pieces(data)

    def scrub(pieces: list[bytes]) -> bytes:
        scrubbing = PoolKeyScrub(_KEY)
        return b"".join([scrubbing.feed(piece) for piece in pieces]) + scrubbing.finish()

    assert oracle.one_answer(subject, scrub) == overwrite(subject.whole, _KEY)


def inflate(data: bytes) -> None:
    subject = oracle.pieces(data[1:])
    encoding, bits = (("gzip", 31), ("deflate", 15), ("deflate", -15), ("br", 0))[data[0] % 4 if data else 0]
    raw = subject.whole[:1] and subject.whole[0] & 0x8F != 0x08
    # Raw deflate that begins like zlib is ambiguous, and what grows out of proportion is given up.
    whole = oracle.inflated(subject.whole, bits) if bits > 0 or (bits and raw) else None
    whole = whole if whole is not None and len(whole) < 1 << 20 else None
    for pieces in subject.ways:
        inflater = Inflater(encoding)
        out = b"".join(part for piece in pieces for part in inflater.feed(piece))
        # How much of a broken stream comes out before its fault depends on the reads.
        assert whole is None or (out, inflater.stopped) == (whole, False)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "root_scan": root_scan,
    "request_scan": request_scan,
    "usage_request": usage_request,
    "sse": sse,
    "usage_event_filter": usage_event_filter,
    "usage_facts": usage_facts,
    "pool_key_scrub": pool_key_scrub,
    "inflate": inflate,
}
"""Every target by its name."""
