"""Request and response heads: what is one, and what each is refused for."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from malformed import MALFORMED

from beyond_gateway.head_rules import (
    CHUNKED,
    UNTIL_CLOSE,
    HeadError,
    ResponseHead,
    head_end,
    parse_request,
    parse_response,
)
from beyond_gateway.route import normalise

GOOD = b"POST /openai/v1/x?a=b HTTP/1.1\r\nHost: h\r\nX-Odd:  a\tb \r\nContent-Length: 3\r\n\r\n"


def test_a_plain_request() -> None:
    """Method, target, version, fields and length come out as they were sent."""
    head = parse_request(GOOD)
    assert (head.method, head.target, head.minor, head.length) == (b"POST", b"/openai/v1/x?a=b", 1, 3)
    assert head.fields.pairs() == [(b"host", b"h"), (b"x-odd", b"a\tb"), (b"content-length", b"3")]
    assert head.fields.lines == [b"Host: h", b"X-Odd:  a\tb ", b"Content-Length: 3"]
    assert not head.wants_close
    assert not head.expects_continue


@pytest.mark.parametrize("cut", range(1, len(GOOD)))
def test_a_head_is_waited_for(cut: int) -> None:
    """An unfinished head is neither complete nor refused, wherever it is cut."""
    assert head_end(GOOD[:cut]) == -1
    assert head_end(GOOD + b"abc") == len(GOOD)


@pytest.mark.parametrize(("name", "status", "data"), MALFORMED, ids=[row[0] for row in MALFORMED])
def test_no_malformed_head_is_parsed(name: str, status: int, data: bytes) -> None:
    """What is wrong with a head is seen in it, whole or byte by byte; what is wrong with body or route comes later."""
    for pieces in ([data], [data[:at] for at in range(1, len(data), 997)]):
        verdict = 200
        for piece in pieces:
            try:
                end = head_end(piece.removeprefix(b"\r\n"))
                if end > 0:
                    head = parse_request(piece.removeprefix(b"\r\n")[:end])
                    if not isinstance(normalise(head.target), bytes):
                        verdict = 400
            except HeadError as error:
                verdict = error.status
                break
        if status in (414, 431):
            assert verdict == status
        if status in (200, 404, 413):
            assert verdict == 200
        if verdict != 200:
            assert verdict == status, name


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_an_error(noise: bytes) -> None:
    """Random bytes give a parsed head or a HeadError, never anything else."""
    for data in (noise + b"\r\n\r\n", GOOD[:40] + noise + GOOD[40:], GOOD[:31] + noise + b"\r\n\r\n"):
        with contextlib.suppress(HeadError):
            end = head_end(data)
            if end > 0:
                parse_request(data[:end])
        with contextlib.suppress(HeadError):
            parse_response(b"HTTP/1.1 200 OK\r\n" + data, head_request=False)


def test_http_1_0_closes_and_never_continues() -> None:
    """An HTTP/1.0 client gets its connection closed, and no 100."""
    head = parse_request(b"GET /v1/models HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")
    assert (head.minor, head.wants_close, head.expects_continue, head.length) == (0, True, False, 0)


def response(*fields: str, status: str = "200 OK", version: str = "1.1", head_request: bool = False) -> ResponseHead:
    lines = "".join(f"{field}\r\n" for field in fields)
    return parse_response(f"HTTP/{version} {status}\r\n{lines}\r\n".encode(), head_request=head_request)


@pytest.mark.parametrize(
    ("parsed", "length", "close"),
    [
        (response("Content-Length: 5"), 5, False),
        (response("Transfer-Encoding: chunked"), CHUNKED, False),
        (response(), UNTIL_CLOSE, True),
        (response("Connection: close", "Content-Length: 5"), 5, True),
        (response("Content-Length: 5", version="1.0"), 5, True),
        (response("Content-Length: 5", "Connection: keep-alive", version="1.0"), 5, False),
        (response("Content-Length: 5", head_request=True), 0, False),
        (response(status="204 No Content"), 0, False),
        (response("Content-Length: 5", status="304 Not Modified"), 0, False),
        (response(status="100 Continue"), 0, False),
        (response("Content-Length: 0", status="200"), 0, False),
    ],
)
def test_response_framing(parsed: ResponseHead, *, length: int, close: bool) -> None:
    """The length of a response body follows RFC 9112 section 6.3."""
    assert (parsed.length, parsed.wants_close) == (length, close)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        b"HTTP/1.1 99 OK\r\n\r\n",
        b"HTTP/1.1 1000 OK\r\n\r\n",
        b"HTTP/3 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_a_response_head_with_two_readings_is_refused(head: bytes) -> None:
    """A provider's ambiguous head is an error, so that its body cannot be taken for another's answer."""
    with pytest.raises(HeadError):
        parse_response(head, head_request=False)


def test_reprs_show_no_value() -> None:
    """A head's repr names counts, not values."""
    head = parse_request(b"GET /openai/v1/models HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer sk-secret\r\n\r\n")
    assert "secret" not in repr(head)
