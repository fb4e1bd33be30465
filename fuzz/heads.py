"""Targets that read HTTP: request heads on their way out, response heads and chunked bodies."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

import httptools

from beyond_gateway import headers
from beyond_gateway.asked import Asked, Heads
from beyond_gateway.config import MANAGED_ENDPOINTS, Config
from beyond_gateway.credentials import contains_managed
from beyond_gateway.endpoints import Endpoints
from beyond_gateway.errors import Refusal
from beyond_gateway.framing import ChunkedReader, FramingError, passed_on
from beyond_gateway.head_rules import HeadError, ResponseHead, head_end, parse_response
from beyond_gateway.providers import build_table
from fuzz import oracle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from beyond_gateway.providers import Provider

SEED: Final = bytes([7]) * 32
POOL_KEY: Final = b"sk-pool-S3CR3T"
ID: Final = "0" * 32
_LONG_WORD: Final = "provider_auth_schemes"  # a shorter secret may stand in a repr by chance

_LENGTH_FIELD = re.compile(rb"(\r\ncontent-length:[ \t]*)([0-9]+)", re.IGNORECASE)
_OTHER_LENGTHS = (b"", b"0", b"7", b"007", b" 5", b"+5", b"5 5", b"9" * 19)


# -- requests


def request_head(data: bytes) -> None:
    subject = oracle.pieces(data)
    head = oracle.one_answer(subject, _take_head)
    if not isinstance(head, bytes):
        return
    heads = _fresh_heads()
    asked = _read(heads, head)
    assert _read(heads, head) == asked, "a remembered head has another answer"
    for length in _OTHER_LENGTHS:
        # A head that differs in this number only is answered from memory, and must be answered the same without.
        other = _LENGTH_FIELD.sub(lambda match, length=length: match[1] + length, head, count=1)
        assert _read(heads, other) == _read(_fresh_heads(), other)
    if asked is not None:
        assert oracle.is_request_head(head), "an ambiguous head is accepted"
        _has_a_second_reader(head)
        _goes_on_clean(heads.read(head)[0])


def _take_head(pieces: list[bytes]) -> bytes | int | None:
    """What a client's connection makes of these reads: a head, a refusal's status, or None while it waits."""
    buffer = b""
    for piece in pieces:
        seen, buffer = len(buffer), buffer + piece
        try:
            end = head_end(buffer, 0, seen)
            if end >= 0:
                return buffer[:end] if _read(_fresh_heads(), buffer[:end]) else 400
        except HeadError as error:
            return _known(error)
    return None


def _known(refused: HeadError) -> int:
    assert refused.status in (400, 414, 431)
    return refused.status


def _fresh_heads() -> Heads:
    return Heads(_providers(), Endpoints(MANAGED_ENDPOINTS))


@cache
def _providers() -> Mapping[bytes, Provider]:
    return build_table(Config())


def _read(heads: Heads, head: bytes) -> tuple[object, ...] | None:
    """Return all that is known of a head but its own lines, which a remembered head has from another one."""
    try:
        asked, length = heads.read(head)
    except HeadError as error:
        _known(error)
        return None
    parsed = asked.head
    return length, parsed.method, parsed.target, parsed.wants_close, parsed.expects_continue, *asked[1:]


class _Reader:
    """Takes what httptools makes of a request head."""

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.strip(b" \t")))


def _has_a_second_reader(head: bytes) -> None:
    """A server's parser, which knows fewer methods and forms of a target, reads the same out of an accepted head."""
    target = head.split(b" ", 2)[1]
    reader = _Reader()
    try:
        httptools.HttpRequestParser(reader).feed_data(head)
    except httptools.HttpParserInvalidMethodError:
        return
    except httptools.HttpParserInvalidURLError:
        assert not target.startswith(b"/"), "a path is accepted that is none"
        return
    assert (reader.target, reader.fields) == (target, oracle.fields(head))


def _goes_on_clean(asked: Asked) -> None:
    """Look at what a provider would see of an accepted head."""
    routed = asked.routed
    if isinstance(routed, Refusal) or asked.credential is None:
        return
    line = b"%b %b HTTP/1.1\r\n" % (asked.head.method, asked.path)
    sent = line + b"host: x\r\n" + asked.fields + headers.request_framing(asked.head.method, asked.head.length)
    assert oracle.is_request_head(sent)
    names = {name for name, _ in oracle.fields(asked.fields.join((b"\r\n", b"")))}
    assert not names & {b"host", b"transfer-encoding", b"content-length", *headers.HOP_BY_HOP}
    assert not any(name.startswith(b"x-beyond-") for name in names)
    segments = unquote_to_bytes(asked.path.partition(b"?")[0]).replace(b"\\", b"/").split(b"/")
    assert not {b".", b".."} & set(segments), "a dot segment goes on"
    value = asked.credential.value.decode("latin-1")
    assert len(value) < len(_LONG_WORD) or value not in repr(asked.credential)
    if not asked.credential.managed:
        assert asked.head.target.endswith(asked.path.removeprefix(b"/"))
        assert asked.path.startswith(b"/")
    elif asked.refusal is None:
        assert not contains_managed(sent)
        assert b"bai_v" not in unquote_to_bytes(unquote_to_bytes(sent)).lower()
        assert names <= set(headers.MANAGED_REQUEST)


# -- responses


def response_head(data: bytes) -> None:
    subject = oracle.pieces(data)
    for head_request in (False, True):

        def take(pieces: list[bytes], *, head_request: bool = head_request) -> bytes | None:
            return _take_response(pieces, head_request=head_request)

        sent = oracle.one_answer(subject, take)
        if sent is not None:
            assert oracle.is_response_head(sent), "a client gets a head with two readings"
            assert POOL_KEY not in sent


def _take_response(pieces: list[bytes], *, head_request: bool) -> bytes | None:
    """Return the head that a client gets when a provider's head arrives so, None where none does."""
    buffer = b""
    for piece in pieces:
        buffer += piece
        try:
            end = head_end(buffer)
            if end >= 0:
                return _sent_on(parse_response(buffer[:end], head_request=head_request), head_request=head_request)
        except HeadError:
            return None
    return None


def _sent_on(head: ResponseHead, *, head_request: bool) -> bytes:
    head.overwrite(POOL_KEY)
    sent = headers.response(head, ID, None, close=False)
    again = parse_response(sent, head_request=head_request)
    assert (again.status, again.length) == (head.status, head.length)
    names = [name for name, _ in oracle.fields(sent)]
    assert not headers.HOP_BY_HOP & set(names)
    assert [name for name in names if name.startswith(b"x-beyond-")] == [b"x-beyond-request-id"]
    return sent


def chunked_body(data: bytes) -> None:
    subject = oracle.pieces(data)
    payload, trailers, stop = oracle.one_answer(subject, _take_chunks)
    wanted = oracle.chunked(subject.whole)
    if wanted is None:
        assert stop < 0, "what is no whole chunked body is taken for one"
    else:
        assert oracle.Chunks(payload, trailers, stop) == wanted


def _take_chunks(pieces: list[bytes]) -> oracle.Chunks:
    """Feed a body; return its payload, trailers and end, or a negative end: -1 where it waits, -2 where it is refused.

    What is passed on meanwhile is the same bytes, and without trailers the same payload.
    """
    reader, payload, raw, bare = ChunkedReader(), list[bytes](), b"", b""
    taken = 0
    try:
        for piece in pieces:
            stop = reader.feed(piece, 0, payload)
            raw += passed_on(reader, piece, 0, stop, trailers=bytes)
            bare += passed_on(reader, piece, 0, stop, trailers=lambda _: b"")
            taken += stop
            if reader.done:
                break
            assert stop == len(piece)
    except FramingError:
        return oracle.Chunks(b"", b"", -2)
    whole = b"".join(pieces)
    if not reader.done:
        assert whole.startswith(raw)
        return oracle.Chunks(b"".join(payload), b"", -1)
    assert raw == whole[:taken]
    assert oracle.chunked(bare) == (b"".join(payload), b"", len(bare))
    return oracle.Chunks(b"".join(payload), reader.trailers, taken)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "request_head": request_head,
    "response_head": response_head,
    "chunked_body": chunked_body,
}
"""Every target by its name."""
