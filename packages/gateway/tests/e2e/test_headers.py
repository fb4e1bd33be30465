"""What crosses the gateway in the head: little under a pool key, nearly everything under the caller's own."""

from __future__ import annotations

import itertools

import pytest
from peer import USAGE, Peer
from stack import BYO_KEY, KEY, POOL_KEYS, Stack, chat, request
from talk import fields, names, served, target, values

pytestmark = pytest.mark.e2e
PLAYED: dict[str, str] = {}
PATH = "/openai/v1/responses"
BODY = chat()


def bare(path: str, *lines: str, body: bytes = BODY, method: str = "POST") -> bytes:
    """A request with exactly these header lines, a Host and its length."""
    head = [f"{method} {path} HTTP/1.1", "Host: gateway", *lines, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode() + body


ALLOWED = {
    "Content-Type": "application/json; charset=utf-8",
    "accept": "text/event-stream",
    "User-Agent": "OpenAI/Python 2.0",
    "anthropic-version": "2023-06-01",
    "Anthropic-Beta": "a,b",
    "Idempotency-Key": "idem-1",
}
FOREIGN = (
    "Cookie: session=1",
    "OpenAI-Organization: org-1",
    "OpenAI-Project: p",
    "X-Stainless-Lang: python",
    "Forwarded: for=10.0.0.1",
    "X-Forwarded-For: 10.0.0.1",
    "X-Real-IP: 10.0.0.1",
    "x-beyond-tenant: 7",
    "X-Beyond-Request-Id: mine",
    "TE: trailers",
    "Trailer: x",
    "Keep-Alive: timeout=5",
    "Proxy-Authorization: Basic eA==",
    "Proxy-Connection: keep-alive",
    "Connection: keep-alive, X-Named",
    "X-Named: 1",
    "Accept-Encoding: gzip, br, zstd",
    "Origin: https://x",
    "X-Anything: 1",
)


def test_only_the_allowlist_goes_out_under_a_pool_key(stack: Stack, peer: Peer) -> None:
    """A managed request arrives with the listed fields, our Host, key and length, identity encoding, and no other."""
    lines = (f"Authorization: Bearer {KEY}", *(f"{name}: {value}" for name, value in ALLOWED.items()), *FOREIGN)
    head, body, _ = served(stack, peer, bare(PATH, *lines))
    assert {name.lower(): value for name, value in fields(head)} == {
        b"host": b"127.0.0.1:%d" % peer.port,
        b"authorization": f"Bearer {POOL_KEYS['openai']}".encode(),
        b"accept-encoding": b"identity",
        b"content-length": b"%d" % len(BODY),
        **{name.lower().encode(): value.encode() for name, value in ALLOWED.items()},
    }
    assert len(fields(head)) == 4 + len(ALLOWED), "none of them twice"
    assert body == BODY


def test_connection_can_name_an_allowed_field(stack: Stack, peer: Peer) -> None:
    """A field that Connection makes hop-by-hop does not go on, though the list has it."""
    head, _, _ = served(stack, peer, request(PATH, BODY, headers=("User-Agent: x", "Connection: user-agent")))
    assert b"user-agent" not in names(head)


def located(place: str, key: str) -> tuple[str, str]:
    """Header line and query of a credential that stands in `place`; one of them is empty."""
    encoded = "".join(f"%{byte:02x}" for byte in key.encode())
    return {
        "x-api-key": (f"X-Api-Key: {key}", ""),
        "api-key": (f"api-key:{key}", ""),
        "x-goog-api-key": (f"X-GOOG-API-KEY:  {key}  ", ""),
        "bearer": (f"Authorization: Bearer {key}", ""),
        "BEARER": (f"AUTHORIZATION: bEARER   {key}", ""),
        "query": ("", f"key={key}"),
        "query, encoded": ("", f"%6BE%59={encoded}"),
    }[place]


PLACES = ("x-api-key", "api-key", "x-goog-api-key", "bearer", "BEARER", "query", "query, encoded")


@pytest.mark.parametrize("path", [PATH, "/anthropic/v1/messages"])
@pytest.mark.parametrize("place", PLACES)
def test_a_managed_key_works_anywhere_and_stays_here(stack: Stack, peer: Peer, place: str, path: str) -> None:
    """Each location authenticates, beside a caller's own key in each other one; neither key reaches the provider."""
    line, query = located(place, KEY)
    for other, repeat in [("", ""), *itertools.product(PLACES, ("before", "behind"))]:
        other_line, other_query = located(other, BYO_KEY) if other else ("", "")
        lines = [entry for entry in (line, other_line) if entry]
        queries = ["a=%2F1", *[entry for entry in (query, other_query) if entry], "key=", "b=~2"]
        if repeat == "before":
            lines.reverse()
            queries[1:-1] = queries[-2:0:-1]
        head, body, reply = served(stack, peer, bare(f"{path}?{'&'.join(queries)}", *lines))
        assert reply.startswith(b"HTTP/1.1 200 "), (other, repeat)
        seen = (head + body).lower()
        pool_key = POOL_KEYS["anthropic" if "messages" in path else "openai"]
        assert seen.count(pool_key.lower().encode()) == 1
        assert b"bai" not in seen
        assert KEY[-40:].lower().encode() not in seen
        assert BYO_KEY.encode() not in seen
        assert target(head).endswith(b"?a=%2F1&b=~2"), "the other parameters stay, in order, as spelt"


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        (PATH, (f"User-Agent: agent {KEY}",)),
        (PATH, (f"Accept: {KEY}",)),
        (PATH, (f"Idempotency-Key: x{KEY.upper()}",)),
        (PATH, (f"Content-Type: a/b; boundary={KEY}",)),
        (PATH, ("Anthropic-Beta: bai%5fv1.x",)),
        (f"{PATH}?token={KEY}", ()),
        (f"{PATH}?a=1&{KEY}", ()),
        (f"{PATH}?token={KEY.replace('_', '%5F')}", ()),
        (f"{PATH}?token={KEY.replace('_', '%255F')}", ()),
        (f"/openai/v1/{KEY}/responses", ()),
    ],
)
def test_a_managed_key_where_it_would_be_forwarded(stack: Stack, peer: Peer, path: str, lines: tuple[str, ...]) -> None:
    """A managed key in an allowed field's value, another parameter or the path is refused, and not repeated."""
    answer = stack.raw(request(path, BODY, headers=lines))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"bai_v1" not in answer.lower()
    assert peer.nobody_comes(0.05)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_byo_arrives_unchanged(stack: Stack, peer: Peer, method: str) -> None:
    """Fields keep case, order, repetition and inner spaces, the body its bytes; hop-by-hop ones and ours go."""
    kept = [
        b"AuThOrIzAtIoN:  Bearer " + BYO_KEY.encode() + b" ",
        b"X-Stainless-Lang: python",
        b"cookie: a=1; b=2",
        b"Accept-Encoding: gzip, br",
        b"X-Twice: 1",
        b"OpenAI-Organization: org-1",
        b"x-twice:2",
        b"Forwarded: for=10.0.0.1",
        b"X-Latin: caf\xe9",
        b"x-beyonder: kept",
        b"X-Empty:",
    ]
    gone = [
        b"Connection: X-Named , keep-alive",
        b"x-named: 1",
        b"Keep-Alive: timeout=5",
        b"TE: trailers",
        b"Proxy-Authorization: Basic eA==",
        b"X-Beyond-Anything: 1",
        b"x-beyond-request-id: 1",
    ]
    body = bytes(range(256)) * 3
    mixed = [line for pair in itertools.zip_longest(kept, gone) for line in pair if line]
    line = f"{method} {PATH}?key=&z=%7e&z=1;2 HTTP/1.1\r\nhOsT: gateway\r\nContent-Length: {len(body)}\r\n".encode()
    head, got, _ = served(stack, peer, line + b"\r\n".join(mixed) + b"\r\n\r\n" + body)
    ours = (b"host:", b"content-length:")
    lines = [entry for entry in head.split(b"\r\n")[1:-2] if not entry.lower().startswith(ours)]
    assert lines == kept
    assert target(head) == b"/v1/responses?key=&z=%7e&z=1;2"
    assert values(head, b"host") == [b"127.0.0.1:%d" % peer.port]
    assert got == body


@pytest.mark.parametrize("key", [KEY, BYO_KEY])
@pytest.mark.parametrize("order", [1, -1])
def test_two_connection_fields(stack: Stack, peer: Peer, key: str, order: int) -> None:
    """Every Connection field counts, in either direction: what any of them names is gone, and `close` closes."""
    both = [b"Connection: X-Named", b"Connection: close"][::order]
    data = request(PATH, key=key, headers=(both[0].decode(), "x-named: 1", both[1].decode()), close=False)
    answer = b"\r\n".join([b"HTTP/1.1 200 OK", both[0], b"x-named: 1", both[1], b"Content-Length: 2", b"", b"{}"])
    head, _, reply = served(stack, peer, data, answer=answer)
    assert b"x-named" not in names(head)
    assert b"x-named" not in names(reply)
    assert values(reply, b"connection") == [b"close"]


@pytest.mark.parametrize("key", [KEY, BYO_KEY])
def test_what_comes_back(stack: Stack, peer: Peer, key: str) -> None:
    """What SDKs read passes with its spelling; hop-by-hop fields and `x-beyond-*` do not; the id is ours."""
    kept = [
        b"Content-Type: application/json",
        b"Retry-After: 7",
        b"X-RateLimit-Remaining-Requests: 9",
        b"anthropic-ratelimit-tokens-limit: 5",
        b"Request-Id: req_1",
        b"x-request-id: req_2",
        b"Set-Cookie: a=1",
        b"set-cookie: b=2",
        b"x-beyonder: kept",
    ]
    gone = [
        b"Connection: close, X-Named",
        b"X-Named: 1",
        b"Keep-Alive: timeout=5",
        b"X-Beyond-Request-Id: theirs",
        b"x-beyond-cost: 1",
        b"X-BEYOND-COST: 2",
        b"Proxy-Authenticate: Basic",
    ]
    mixed = [line for pair in itertools.zip_longest(gone, kept) for line in pair if line]
    head = b"HTTP/1.1 429 Slow Down\r\n" + b"\r\n".join(mixed)
    answer = head + b"\r\nContent-Length: %d\r\n\r\n" % len(USAGE) + USAGE
    _, _, reply = served(stack, peer, request(PATH, BODY, key=key), answer=answer)
    status, *lines = reply.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert status == b"HTTP/1.1 429 Slow Down"
    ours = {b"content-length", b"x-beyond-request-id", b"connection"}
    assert [line for line in lines if line.partition(b":")[0].lower() not in ours] == kept
    assert len(values(reply, b"x-beyond-request-id")) == 1
    assert values(reply, b"x-beyond-request-id") != [b"theirs"]
    assert reply.endswith(USAGE)
