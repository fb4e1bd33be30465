"""Every recorded shape of answer, through a real gateway, gives one row with exactly its facts."""

from __future__ import annotations

import gzip
import re
import time
from typing import Any

import msgspec
import pytest
from peer import JSON_HEAD, SSE_HEAD, Peer
from stack import KEY, Stack, chat, read_all, request, wait_for
from talk import served

from beyond_wire.testing.streams import STREAMS, Stream

pytestmark = pytest.mark.e2e
PLAYED: dict[str, str] = {}
CHAT = "/openai/v1/chat/completions"
RESPONSES = "/openai/v1/responses"
MESSAGES = "/anthropic/v1/messages"
COUNTS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
TOKENS = tuple(f"{name}_tokens" for name in COUNTS)
WORDS = "x" * 500
# The same contract as the minting vectors: tenant 1, vpc 1, key_id 9.
KEY_V2 = (
    "bai_v2.1.AQAAAAAAAAABAAAAAAAAAAkAAAAAAAAA."
    "7zx4pOeF7Sm_tcl7n15GHqSfNFRt7Fh5_4kSXUCVwYofZrVl3qAr9RPrb0t6y7GY-jRBqNUa3SDnlUuLomUUDA"
)
BY_NAME = {stream.name: stream for stream in STREAMS}


def ask(stream: Stream, key: str = KEY) -> bytes:
    """A request whose answer is read in the stream's dialect."""
    openai_path = RESPONSES if "responses" in stream.name else CHAT
    path = MESSAGES if stream.dialect == "anthropic" else openai_path
    more: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}} if stream.sse else {}
    return request(path, chat("asked", WORDS, **more), key=key)


def told(stream: Stream, coding: bytes = b"") -> bytes:
    """The provider's whole answer."""
    body = gzip.compress(stream.body) if coding else stream.body
    extra = b"Connection: close\r\n" + (b"Content-Encoding: %b\r\n" % coding if coding else b"")
    if not stream.sse:
        return JSON_HEAD + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body
    chunks = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return SSE_HEAD.replace(b"Content-Type", extra + b"Content-Type") + chunks + b"0\r\n\r\n"


def only_row(stack: Stack) -> dict[str, Any]:
    """The one row there is, behind which no second one follows."""
    row = stack.rows(1)[0]
    time.sleep(0.01)
    assert len(stack.rows(1)) == 1
    return row


def check_facts(row: dict[str, Any], stream: Stream) -> None:
    """The row has the stream's counts and no others; where the last are missing it is a lower bound and says so."""
    facts = {name: getattr(stream.usage, name) for name in TOKENS} if stream.usage else {}
    known = {name: count for name, count in facts.items() if count is not None}
    found = {name: row[name] for name in TOKENS if name in row}
    complete = stream.usage is not None and (stream.dialect == "openai" or "output_tokens" in known)
    if complete or not stream.sse:
        assert found == known
        assert row["usage_estimated"] is False
        assert row.get("usage_wire") == (stream.usage.wire if stream.usage else None)
    else:
        assert row["usage_estimated"] is True
        assert found.pop("output_tokens") >= 0
        assert found.pop("input_tokens") == known.pop("input_tokens", len(WORDS) // 5)
        assert found == known
        assert row["usage_wire"] == stream.dialect


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_the_row_has_exactly_the_facts(stack: Stack, peer: Peer, stream: Stream) -> None:
    """Tokens, model, wire and outcome of the row are those of the answer; what is unknown is absent, never null."""
    served(stack, peer, ask(stream), answer=told(stream))
    row = only_row(stack)
    assert None not in row.values()
    check_facts(row, stream)
    assert (row["model"], row["requested_model"]) == (stream.model or "asked", "asked")
    assert (row["stream"], row["upstream_status"]) == (stream.sse, 200)
    assert row["outcome"] == ("upstream_error" if stream.error else "ok")


COMPRESSED = (
    "chat-openai-include-usage",
    "responses-xai-reasoning-outside",
    "anthropic-cumulative-delta",
    "anthropic-longer-than-the-tail",
    "body-anthropic-cache",
    "body-responses",
)


@pytest.mark.parametrize("coding", [b"gzip", b"GZIP", b"x-gzip"])
@pytest.mark.parametrize("name", COMPRESSED)
def test_a_compressed_answer(stack: Stack, peer: Peer, name: str, coding: bytes) -> None:
    """A provider that compresses although identity was asked for is metered exactly; its bytes pass as they came."""
    stream = BY_NAME[name]
    _, _, reply = served(stack, peer, ask(stream), answer=told(stream, coding))
    assert gzip.compress(stream.body)[10:] in reply
    row = only_row(stack)
    check_facts(row, stream)
    assert row["model"] == stream.model


# An event with something that the client can see.
DELTA = re.compile(rb'"content":"|"text_delta"|output_text\.delta')
CUT = ("chat-openai-include-usage", "anthropic-cumulative-delta", "responses-completed")
POINTS = [(name, count) for name in CUT for count in range(1, BY_NAME[name].body.count(b"\n\n") + 1)]


@pytest.mark.parametrize("who", ["provider", "client"])
@pytest.mark.parametrize(("name", "count"), POINTS)
def test_a_stream_cut_behind_any_event(stack: Stack, peer: Peer, name: str, count: int, who: str) -> None:
    """Whoever hangs up behind any event: one row, at least a token for each delta, exact once the counts came."""
    stream = BY_NAME[name]
    events = [part + b"\n\n" for part in stream.body.split(b"\n\n")][:count]
    with stack.connect() as client:
        client.sendall(ask(stream))
        line = peer.accept()
        line.read_request()
        line.send(SSE_HEAD)
        seen = b""
        for event in events:
            line.chunk(event)
            while not seen.endswith(event + b"\r\n"):
                seen += client.recv(65536)
        (line if who == "provider" else client).close()
        if who == "provider":
            read_all(client)
        row = only_row(stack)
    assert row["outcome"] == ("cut_short" if who == "provider" else "client_cancelled")
    assert row["input_tokens"] > 0
    deltas = sum(DELTA.search(event) is not None for event in events)
    assert row["output_tokens"] >= deltas
    last = max(at for at, event in enumerate(stream.body.split(b"\n\n")) if re.search(rb'"usage": ?\{', event))
    if count <= last:
        assert row["usage_estimated"] is True
    else:
        check_facts(row, stream)


def test_the_envelope(stack: Stack, peer: Peer) -> None:
    """The line is the contract's, in its order, with an RFC 3339 timestamp, and its fields have their types."""
    stream = BY_NAME["chat-openai-include-usage"]
    served(stack, peer, ask(stream, KEY_V2), answer=told(stream))
    only_row(stack)
    text = stack.rows_path.read_bytes()
    assert re.fullmatch(
        rb'\{"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)","level":"INFO",'
        rb'"fields":\{"message":"usage",[^{}]*\},"target":"ai\.usage"\}\n',
        text,
    )
    line: dict[str, Any] = msgspec.json.decode(text)
    row = line["fields"]
    assert re.fullmatch("[0-9a-f]{32}", row.pop("request_id"))
    assert 0 <= row.pop("ttft_ms") <= row.pop("latency_ms") < 20_000
    assert row == {
        "message": "usage",
        "tenant_id": 1,
        "vpc_id": 1,
        "key_id": 9,
        "provider": "openai",
        "model": stream.model,
        "requested_model": "asked",
        "stream": True,
        "input_tokens": 19,
        "output_tokens": 10,
        "cache_read_tokens": 4,
        "reasoning_tokens": 0,
        "upstream_status": 200,
        "outcome": "ok",
        "usage_estimated": False,
        "usage_wire": "openai",
    }


def test_times_are_those_of_the_exchange(stack: Stack, peer: Peer) -> None:
    """Time to first token ends with the first body byte, latency with the last."""
    with stack.connect() as client:
        client.sendall(ask(BY_NAME["chat-openai-include-usage"]))
        line = peer.accept()
        line.read_request()
        time.sleep(0.1)
        line.send(SSE_HEAD)
        line.chunk(b": hi\n\n")
        wait_for(lambda: b"hi" in client.recv(65536), "the first bytes")
        time.sleep(0.1)
        line.send(b"0\r\n\r\n")
        read_all(client)
    row = only_row(stack)
    assert 90 <= row["ttft_ms"] <= row["latency_ms"] - 90
