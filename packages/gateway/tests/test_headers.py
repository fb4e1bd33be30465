"""Which fields cross the gateway."""

from __future__ import annotations

import pytest

from beyond_gateway.head_rules import parse_request, parse_response
from beyond_gateway.headers import answer, byo_fields, managed_fields, request_framing, response

LISTED = [
    b"Content-Type: application/json",
    b"Accept: */*",
    b"User-Agent: sdk/1",
    b"anthropic-version: 2023-06-01",
    b"Anthropic-Beta: a,b",
    b"Idempotency-Key: 1",
    b"Expect: 100-continue",
]
HOP = [b"Keep-Alive: 5", b"Proxy-Connection: x", b"Proxy-Authenticate: x", b"Proxy-Authorization: x", b"TE: trailers"]
TENANTS = [b"Cookie: a", b"Forwarded: for=x", b"X-Forwarded-For: 1", b"OpenAI-Organization: o", b"Accept-Encoding: br"]
OURS = [b"X-Beyond-Request-Id: 7", b"x-beyond-x: 1"]


def request(*lines: bytes) -> bytes:
    return b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n%b\r\n" % b"".join(line + b"\r\n" for line in lines)


def test_under_a_pool_key_only_listed_fields_go_on() -> None:
    """The list of the contract in its spelling; credentials, cookies, addresses, hops and ours stay behind."""
    keys = [b"Authorization: Bearer x", b"X-Api-Key: y", b"api-key: z", b"x-goog-api-key: g"]
    fields = managed_fields(parse_request(request(*keys, *LISTED, *HOP, *TENANTS, *OURS)))
    wanted = {line.partition(b":")[0].lower() + line[line.index(b":") :] for line in LISTED}
    assert set(fields.split(b"\r\n")[:-1]) == wanted
    assert fields.endswith(b"\r\n")


def test_a_listed_field_goes_on_as_often_as_it_stands_there() -> None:
    """A list in several lines keeps all its members, in order, under a pool key too; Connection still takes all."""
    lines = [b"anthropic-beta: one-1", b"Accept: a/b", b"Anthropic-Beta: two-2", b"Cookie: c", b"Cookie: d"]
    wanted = b"accept: a/b\r\nanthropic-beta: one-1\r\nanthropic-beta: two-2\r\n"
    assert managed_fields(parse_request(request(*lines))) == wanted
    named = request(*lines, b"Connection: anthropic-beta")
    assert managed_fields(parse_request(named)) == b"accept: a/b\r\n"


def test_a_callers_own_fields_go_on_as_sent() -> None:
    """Spelling, order and repetition stay; hop-by-hop fields, those Connection names, framing, Host and ours go."""
    own = [b"x-ODD:  a\tb ", *TENANTS, b"Set: 1", b"Set: 2", b"Authorization: Bearer x"]
    head = request(*own, *HOP, *OURS, b"Connection: X-Hop", b"x-hop: 1", b"Connection: other", b"Other: 2")
    assert byo_fields(parse_request(head)) == b"".join(line + b"\r\n" for line in own)


@pytest.mark.parametrize(
    ("method", "length", "framing"),
    [
        (b"POST", 5, b"content-length: 5\r\n\r\n"),
        (b"POST", 0, b"content-length: 0\r\n\r\n"),
        (b"PUT", 0, b"content-length: 0\r\n\r\n"),
        (b"GET", 0, b"\r\n"),
        (b"HEAD", 0, b"\r\n"),
        (b"DELETE", 0, b"\r\n"),
        (b"GET", 2, b"content-length: 2\r\n\r\n"),
        (b"POST", -1, b"transfer-encoding: chunked\r\n\r\n"),
    ],
)
def test_a_request_is_framed_once(method: bytes, length: int, framing: bytes) -> None:
    """A POST says its length also when it is zero; what has no body says nothing."""
    assert request_framing(method, length) == framing


def test_a_response_head_goes_on_but_for_hops_and_ours() -> None:
    """Rate limits, retry-after and ids pass as sent; the request id is ours; framing is replaced where asked."""
    lines = [
        b"Content-Type: a/b",
        b"Retry-After: 2",
        b"X-RateLimit-Left: 3",
        b"request-id: r",
        b"Set-Cookie: a",
        b"Set-Cookie: b",
    ]
    hops = [b"Connection: keep-alive, X-Hop", b"X-Hop: 1", b"X-Beyond-Request-Id: forged", b"Keep-Alive: 5"]
    block = b"\r\n".join([hops[0], *lines, *hops[1:]])
    head = parse_response(b"HTTP/1.1 429 Slow down\r\n%b\r\nContent-Length: 3\r\n\r\n" % block, head_request=False)
    kept = b"HTTP/1.1 429 Slow down\r\n" + b"".join(line + b"\r\n" for line in lines)
    ours = b"x-beyond-request-id: id\r\n"
    assert response(head, "id", None, close=False) == kept + b"Content-Length: 3\r\n" + ours + b"\r\n"
    closing = kept + ours + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    assert response(head, "id", b"transfer-encoding: chunked\r\n", close=True) == closing


@pytest.mark.parametrize("framing", [b"Content-Length: 3", b"Transfer-Encoding: chunked"])
def test_a_provider_cannot_name_the_framing_away(framing: bytes) -> None:
    """A Connection field that names what frames the body takes other fields out, and leaves the client the framing."""
    connection = b"Connection: x-hop, " + framing.partition(b":")[0]
    block = b"\r\n".join([connection, b"X-Hop: 1", framing])
    head = parse_response(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % block, head_request=False)
    sent = b"HTTP/1.1 200 OK\r\n%b\r\nx-beyond-request-id: id\r\n\r\n" % framing
    assert response(head, "id", None, close=False) == sent


def test_an_answer_of_our_own_is_whole() -> None:
    """Status, type, length, request id, further lines, body."""
    assert answer(b"503 No", b'{"a":1}', "id", b"retry-after: 1\r\n") == (
        b"HTTP/1.1 503 No\r\ncontent-type: application/json\r\ncontent-length: 7\r\nx-beyond-request-id: id\r\n"
        b'retry-after: 1\r\n\r\n{"a":1}'
    )
