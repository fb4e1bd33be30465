"""Messages without a body, interim answers, 100-continue and HTTP/1.0: each ends where its grammar says."""

from __future__ import annotations

import pytest
from peer import JSON_HEAD, SSE_HEAD, USAGE, Peer
from stack import BYO_KEY, KEY, Stack, chat, read_all, request
from talk import LAST_CHUNK, names, read_reply, read_until, values

pytestmark = pytest.mark.e2e
PLAYED: dict[str, str] = {}
PATH = "/openai/v1/responses"
CHAT = "/openai/v1/chat/completions"
EXPECT = ("Expect: 100-continue",)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EVENT = b'data: {"model":"m-1","choices":[{"delta":{"content":"hello"}}]}\n\n'


@pytest.mark.parametrize("path", [PATH, CHAT])
def test_continue_comes_after_admission(stack: Stack, peer: Peer, path: str) -> None:
    """An admitted client gets 100 before it sends a byte of its body, and only ours, not the provider's too."""
    body = chat()
    head, _, _ = request(path, body, headers=EXPECT).partition(b"\r\n\r\n")
    with stack.connect() as client:
        client.sendall(head + b"\r\n\r\n")
        assert read_until(client, b"\r\n\r\n") == CONTINUE
        client.sendall(body)
        line = peer.accept()
        assert line.read_request()[1] == body
        line.send(CONTINUE)
        line.answer()
        reply = read_all(client)
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert b"100 Continue" not in reply


@pytest.mark.parametrize(
    ("path", "key", "length", "status"),
    [
        (PATH, KEY[:-2] + "AA", b"10", 401),
        (PATH, "", b"10", 401),
        (PATH, KEY, b"200000000", 413),
        (PATH, BYO_KEY, b"200000000", 413),
        ("/openai/v1/files", KEY, b"10", 404),
        ("/mistral/v1/responses", KEY, b"10", 503),
    ],
)
def test_no_continue_for_a_refusal(  # noqa: PLR0917 the table's columns
    stack: Stack, peer: Peer, path: str, key: str, length: bytes, status: int
) -> None:
    """A refused client is told so instead of being asked for its body, and the connection ends."""
    head = request(path, key=key, headers=EXPECT, close=False).replace(
        b"Content-Length: 0", b"Content-Length: " + length
    )
    with stack.connect() as client:
        client.sendall(head)
        reply = read_all(client)
    assert reply.startswith(b"HTTP/1.1 %d " % status)
    assert values(reply, b"connection") == [b"close"]
    assert peer.nobody_comes(0.05)


@pytest.mark.parametrize(
    ("status", "lines", "kept"),
    [
        (b"204 No Content", b"", b""),
        (b"304 Not Modified", b"ETag: x\r\nContent-Length: 500\r\n", b"500"),
        (b"304 Not Modified", b"ETag: x\r\n", b""),
    ],
)
@pytest.mark.parametrize("key", [KEY, BYO_KEY])
def test_answers_without_a_body(  # noqa: PLR0917 the table's columns
    stack: Stack, peer: Peer, key: str, status: bytes, lines: bytes, kept: bytes
) -> None:
    """204 and 304 end with their head, whatever it declares; what follows is the next request's answer."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat(), key=key, close=False))
        line = peer.accept()
        line.read_request()
        line.send(b"HTTP/1.1 %b\r\n%b\r\n" % (status, lines))
        head = read_until(client, b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 " + status)
        assert values(head, b"content-length") == ([kept] if kept else [])
        client.sendall(request(PATH, chat(), key=key))
        line.read_request()
        line.answer()
        assert read_reply(client).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("framing", [b"Content-Length: 500\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_head(stack: Stack, peer: Peer, framing: bytes) -> None:
    """An answer to HEAD tells the body's framing and has none; both connections serve on."""
    with stack.connect() as client:
        client.sendall(request("/openai/v1/models", method="HEAD", key=BYO_KEY, close=False))
        line = peer.accept()
        assert line.read_request()[0].startswith(b"HEAD /v1/models HTTP/1.1\r\n")
        line.send(JSON_HEAD + framing + b"\r\n")
        head = read_until(client, b"\r\n\r\n")
        name, _, value = framing.strip().partition(b": ")
        assert not framing or values(head, name) == [value]
        client.sendall(request(PATH, chat(), key=BYO_KEY))
        line.read_request()
        line.answer()
        assert read_reply(client).endswith(USAGE)


@pytest.mark.parametrize("together", [True, False])
def test_early_hints(stack: Stack, peer: Peer, *, together: bool) -> None:
    """103 goes on when it comes, and the final answer is whole behind it."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Beyond-Hop: 1\r\n\r\n"
    with stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        line.send(hints)
        seen = b""
        if not together:
            seen = read_until(client, b"\r\n\r\n")
        line.answer()
        seen += read_all(client)
    first, _, rest = seen.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 103 Early Hints\r\n")
    assert values(first + b"\r\n\r\n", b"link") == [b"</a.css>; rel=preload"]
    assert b"x-beyond-hop" not in names(first)
    assert rest.startswith(b"HTTP/1.1 200 ")
    assert rest.endswith(USAGE)


def old(path: str, body: bytes, *lines: str) -> bytes:
    """The request of an HTTP/1.0 client: no Host, no Connection."""
    head = (f"POST {path} HTTP/1.0", f"Authorization: Bearer {KEY}", f"Content-Length: {len(body)}", *lines, "", "")
    return "\r\n".join(head).encode() + body


def test_http_1_0(stack: Stack, peer: Peer) -> None:
    """An HTTP/1.0 client needs no Host, gets no interim answer, and its connection ends with the answer."""
    with stack.connect() as client:
        client.sendall(old(PATH, chat(), "Expect: 100-continue"))
        line = peer.accept()
        head, body = line.read_request()
        assert head.startswith(b"POST /v1/responses HTTP/1.1\r\n")
        assert body == chat()
        line.send(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
        line.answer()
        reply = read_all(client)
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert b"103 Early" not in reply
    assert reply.endswith(USAGE)


@pytest.mark.parametrize("key_path", [PATH, CHAT])
def test_a_stream_to_http_1_0(stack: Stack, peer: Peer, key_path: str) -> None:
    """A chunked stream reaches an HTTP/1.0 client event by event, without chunks, with the usage event hidden."""
    with stack.connect() as client:
        client.sendall(old(key_path, chat(stream=True)))
        line = peer.accept()
        line.read_request()
        line.send(SSE_HEAD)
        line.chunk(EVENT)
        seen = read_until(client, EVENT)
        line.chunk(b"data: " + USAGE + b"\n\n")
        line.chunk(b"data: [DONE]\n\n")
        line.send(LAST_CHUNK)
        seen += read_all(client)
    head, _, body = seen.partition(b"\r\n\r\n")
    assert not {b"transfer-encoding", b"content-length"} & names(head)
    hidden = b"" if key_path == CHAT else b"data: " + USAGE + b"\n\n"
    assert body == EVENT + hidden + b"data: [DONE]\n\n"


def test_a_provider_of_http_1_0(stack: Stack, peer: Peer) -> None:
    """An HTTP/1.0 answer with a length is whole for an HTTP/1.1 client, which may send its next request."""
    with stack.connect() as client:
        for _ in range(2):
            client.sendall(request(PATH, chat(), close=False))
            line = peer.accept()
            line.read_request()
            line.answer(head=JSON_HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"))
            assert read_reply(client).startswith(b"HTTP/1.1 200 ")
            assert line.closed()


def test_an_empty_body(stack: Stack, peer: Peer) -> None:
    """No body at all, declared, chunked or left out, reaches the provider as no body."""
    for path in (PATH, CHAT):
        for data in (
            request(path, close=False),
            request(path, close=False).replace(b"Content-Length: 0\r\n", b""),
            request(path, headers=("Transfer-Encoding: chunked",), close=False).replace(b"Content-Length: 0\r\n", b"")
            + LAST_CHUNK,
        ):
            with stack.connect() as client:
                client.sendall(data)
                line = peer.accept()
                head = line.read_until(b"\r\n\r\n")
                if values(head, b"transfer-encoding"):
                    assert line.read_until(LAST_CHUNK) == LAST_CHUNK
                else:
                    assert values(head, b"content-length") == [b"0"]
                line.answer(head=JSON_HEAD + b"Connection: close\r\n")
                assert read_reply(client).endswith(USAGE)
