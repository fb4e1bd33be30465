"""A provider that repeats the key it was given: the client reads stars of the same length."""

from __future__ import annotations

import contextlib
import gzip
import zlib

import pytest
from peer import JSON_HEAD, Peer
from stack import BYO_KEY, POOL_KEYS, Stack, chat, read_all, request, running
from talk import LAST_CHUNK, served, unchunked, values

pytestmark = pytest.mark.e2e
PLAYED: dict[str, str] = {}
PATH = "/openai/v1/responses"
POOL_KEY = POOL_KEYS["openai"].encode()
STARS = b"*" * len(POOL_KEY)
ERROR = b'{"error":{"message":"Incorrect API key provided: %b. See s*k-*pool."}}'
REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nConnection: close\r\n"


def test_the_embedded_provider_echoes() -> None:
    """In every framing, status and dialect neither body nor field has the key, and the body keeps its length."""
    with running() as (stack, _):
        for path, name in (("/openai/v1/chat/completions", "openai"), ("/anthropic/v1/messages", "anthropic")):
            key = POOL_KEYS[name].encode()
            for more in ("", ",length=1", ",chunk=1", ",chunk=7", ",status=500", ",http10=1", ",status=429,chunk=3"):
                for body in (chat(f"mock:echo_key=1{more}"), chat(f"mock:echo_key=1{more}", stream=True)):
                    answer = stack.raw(request(path, body))
                    assert key not in answer
                    assert values(answer, b"x-received-key") == [b"*" * len(key)]
                    _, _, received = answer.partition(b"\r\n\r\n")
                    plain = unchunked(received) if b"transfer-encoding" in answer.lower() else received
                    assert b"Incorrect API key provided: %b." % (b"*" * len(key)) in plain


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_key_cut_between_two_reads(stack: Stack, peer: Peer, framing: str) -> None:
    """Cut at any of its bytes, by chunk and by read, the key is overwritten and all other bytes stay."""
    body = ERROR % POOL_KEY
    start = body.index(POOL_KEY)
    for cut in range(start, start + len(POOL_KEY) + 1):
        with stack.connect() as client:
            client.sendall(request(PATH, chat()))
            line = peer.accept()
            line.read_request()
            fields = {"length": b"Content-Length: %d\r\n" % len(body), "chunked": b"Transfer-Encoding: chunked\r\n"}
            send = line.chunk if framing == "chunked" else line.send
            line.send(REFUSED + fields.get(framing, b"") + b"\r\n")
            send(body[:cut])
            answer = client.recv(65536)
            while b"provided: " not in answer:
                answer += client.recv(65536)
            if cut < len(body):
                send(body[cut:])
            if framing == "chunked":
                line.send(LAST_CHUNK)
            line.close()
            received = (answer + read_all(client)).partition(b"\r\n\r\n")[2]
        assert (received if framing == "length" else unchunked(received)) == ERROR % STARS, cut


def test_a_key_in_single_bytes(stack: Stack, peer: Peer) -> None:
    """The key twice in a row, one byte to a chunk: both are gone, and nothing waits for the end."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        line.send(REFUSED + b"Transfer-Encoding: chunked\r\n\r\n")
        for byte in POOL_KEY * 2 + b"!":
            line.chunk(bytes([byte]))
        answer = b""
        while b"!" not in answer:
            answer += client.recv(65536)
        line.send(LAST_CHUNK)
        line.close()
        answer += read_all(client)
    assert unchunked(answer.partition(b"\r\n\r\n")[2]) == STARS * 2 + b"!"


@pytest.mark.parametrize("status", [b"200 OK", b"401 Unauthorized", b"302 Found"])
def test_a_key_in_a_field(stack: Stack, peer: Peer, status: bytes) -> None:
    """Whatever the status, a field's value shows stars in the key's place."""
    head = b"HTTP/1.1 %b\r\nX-Debug: Bearer %b;%b\r\nConnection: close\r\n" % (status, POOL_KEY, POOL_KEY)
    _, _, reply = served(stack, peer, request(PATH, chat()), answer=head + b"Content-Length: 2\r\n\r\n{}")
    assert values(reply, b"x-debug") == [b"Bearer %b;%b" % (STARS, STARS)]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 103 Early Hints\r\nX-Debug: %b\r\n\r\n" + JSON_HEAD,
        b"HTTP/1.1 401 Bad key %b\r\nContent-Type: application/json\r\n",
    ],
    ids=["an informational head", "the reason phrase"],
)
def test_a_key_elsewhere_in_a_head(stack: Stack, peer: Peer, head: bytes) -> None:
    """The other places of a head that reach the client do not show the key either."""
    answer = head % POOL_KEY + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"
    _, _, reply = served(stack, peer, request(PATH, chat()), answer=answer)
    assert reply.endswith(b"{}")
    assert POOL_KEY not in reply


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_compressed_error(stack: Stack, peer: Peer, framing: str) -> None:
    """A provider that compresses its error although identity was asked for does not bring the key to the client."""
    body = gzip.compress(ERROR % POOL_KEY)
    fields = b"Content-Length: %d\r\n\r\n" % len(body) if framing == "length" else b"Transfer-Encoding: chunked\r\n\r\n"
    rest = body if framing == "length" else b"%x\r\n%b\r\n" % (len(body), body) + LAST_CHUNK
    _, _, reply = served(
        stack, peer, request(PATH, chat()), answer=REFUSED + b"Content-Encoding: gzip\r\n" + fields + rest
    )
    assert reply.startswith(b"HTTP/1.1 401 ")
    received = reply.partition(b"\r\n\r\n")[2]
    plain = unchunked(received) if b"transfer-encoding" in reply.lower() else received
    with contextlib.suppress(OSError, EOFError, zlib.error):
        plain = gzip.decompress(plain)
    assert POOL_KEY not in plain


def test_a_trailer_of_an_error(stack: Stack, peer: Peer) -> None:
    """A trailer field of an error does not bring the key to the client."""
    answer = REFUSED + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Debug: %b\r\n\r\n" % POOL_KEY
    _, _, reply = served(stack, peer, request(PATH, chat()), answer=answer)
    assert reply.startswith(b"HTTP/1.1 401 ")
    assert POOL_KEY not in reply


def test_a_trailer_of_an_answer(stack: Stack, peer: Peer) -> None:
    """Nor does one of an answer, where fields of ours do not cross either; others do."""
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
        b"0\r\nX-Debug: %b\r\nX-Beyond-Tenant: 1\r\nX-Sum: 2\r\n\r\n" % POOL_KEY
    )
    with stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        line.send(answer)
        line.close()
        reply = read_all(client)
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert reply.endswith(b"0\r\nX-Debug: %b\r\nX-Sum: 2\r\n\r\n" % (b"*" * len(POOL_KEY)))


def test_a_callers_own_key_is_theirs_to_see(stack: Stack, peer: Peer) -> None:
    """Under the caller's own key an error passes byte for byte, with the key that it quotes."""
    body = ERROR % BYO_KEY.encode()
    answer = REFUSED + b"Content-Length: %d\r\n\r\n" % len(body) + body
    _, _, reply = served(stack, peer, request(PATH, chat(), key=BYO_KEY), answer=answer)
    assert reply.endswith(body)
