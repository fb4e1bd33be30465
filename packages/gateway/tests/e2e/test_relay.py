"""Bytes leave when they arrive, in order, in the framing they came in, and every message ends where it should."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from peer import JSON_HEAD, SSE_HEAD, USAGE, Line, Peer
from stack import BYO_KEY, KEY, Stack, chat, read_all, request
from talk import LAST_CHUNK, answers, read_reply, read_until, unchunked, values

if TYPE_CHECKING:
    import socket

pytestmark = pytest.mark.e2e
PLAYED: dict[str, str] = {}
PATH = "/openai/v1/responses"
CHAT = "/openai/v1/chat/completions"
STREAM = chat(stream=True)
CHUNKED = ("Transfer-Encoding: chunked",)


def event(text: str) -> bytes:
    return b'data: {"model":"m-1","choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % text.encode()


def begun(client: socket.socket, peer: Peer, data: bytes) -> Line:
    """A request sent and wholly received by the peer."""
    client.sendall(data)
    line = peer.accept()
    line.read_request()
    return line


def chunked(path: str, body: bytes, *, key: str = KEY) -> bytes:
    """A request whose body is sent in these bytes of chunked coding."""
    return request(path, key=key, headers=CHUNKED).replace(b"Content-Length: 0\r\n", b"") + body


@pytest.mark.parametrize("path", [PATH, CHAT], ids=["as it came", "with the usage event hidden"])
def test_an_event_arrives_before_the_next_is_sent(stack: Stack, peer: Peer, path: str) -> None:
    """The client has each event whole while the provider still waits to send the one behind it."""
    with stack.connect() as client:
        line = begun(client, peer, request(path, STREAM))
        line.send(SSE_HEAD)
        assert client.recv(65536).endswith(b"\r\n\r\n"), "the head alone, before any event"
        for number in range(5):
            line.chunk(event(f"word {number}"))
            assert event(f"word {number}") in read_until(client, b"\n\n\r\n")
        line.chunk(b"data: " + USAGE + b"\n\n")
        line.chunk(b"data: [DONE]\n\n")
        line.send(LAST_CHUNK)
        rest = read_all(client)
    assert rest.endswith(LAST_CHUNK)
    assert (USAGE in rest) == (path == PATH)
    assert stack.rows()[0]["input_tokens"] == 7


@pytest.mark.parametrize("path", [PATH, CHAT])
def test_half_an_event_is_not_waited_for(stack: Stack, peer: Peer, path: str) -> None:
    """An event in two reads: its first part is at the client before the second is sent."""
    whole = event("a long sentence, in two reads")
    with stack.connect() as client:
        line = begun(client, peer, request(path, STREAM))
        line.send(SSE_HEAD)
        line.chunk(whole[:-20])
        seen = b""
        while b"a long sen" not in seen:
            seen += client.recv(65536)
        line.chunk(whole[-20:])
        line.send(LAST_CHUNK)
        seen += read_all(client)
    assert unchunked(seen.partition(b"\r\n\r\n")[2]) == whole


@pytest.mark.parametrize("path", [PATH, CHAT])
def test_two_events_in_one_read(stack: Stack, peer: Peer, path: str) -> None:
    """What came in one read leaves as it came, down to the chunks."""
    both = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (event("a"), event("b")))
    with stack.connect() as client:
        line = begun(client, peer, request(path, STREAM))
        line.send(SSE_HEAD + both)
        assert read_until(client, event("b") + b"\r\n").endswith(both)
        line.send(LAST_CHUNK)
        assert read_all(client) == LAST_CHUNK


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
@pytest.mark.parametrize("read", [0, 23], ids=["one read", "many reads"])
def test_odd_chunks_with_the_usage_event_hidden(stack: Stack, peer: Peer, size: int, ends: bytes, read: int) -> None:
    """However a stream is cut into chunks and reads, the client gets all but the event it did not ask for."""
    before = b": hi\n\n" + event("one") + event('choices\\":[] usage')
    hidden, done = b"data: " + USAGE + b"\n\n", b"data: [DONE]\n\n"
    stream = (before + hidden + done).replace(b"\n", ends)
    cuts = [stream[at : at + size] for at in range(0, len(stream), size)]
    answer = b"".join(b"%x;n=1\r\n%b\r\n" % (len(cut), cut) for cut in cuts) + LAST_CHUNK
    with stack.connect() as client:
        line = begun(client, peer, request(CHAT, STREAM))
        line.send(SSE_HEAD)
        for at in range(0, len(answer), read or len(answer)):
            line.send(answer[at : at + (read or len(answer))])
            time.sleep(0.0005)  # long enough for most pieces to be a read of their own; none has to be
        reply = read_all(client)
    assert unchunked(reply.partition(b"\r\n\r\n")[2]) == (before + done).replace(b"\n", ends)
    assert stack.rows()[0]["output_tokens"] == 3


@pytest.mark.parametrize("key", [KEY, BYO_KEY])
def test_chunk_extensions_and_trailers(stack: Stack, peer: Peer, key: str) -> None:
    """Raw chunks pass both ways; request trailers only under the caller's own key, response trailers always."""
    body = b"5;ext=1\r\nhello\r\n6 ;a=b;c\r\n world\r\n0;last\r\n"
    with stack.connect() as client:
        client.sendall(chunked(PATH, body, key=key) + b"X-Check: 1\r\nX-More: 2\r\n\r\n")
        line = peer.accept()
        head = line.read_until(b"\r\n\r\n")
        assert values(head, b"transfer-encoding") == [b"chunked"]
        assert values(head, b"content-length") == []
        assert line.read_until(b"0;last\r\n") == body
        end = b"" if key == KEY else b"X-Check: 1\r\nX-More: 2\r\n"
        assert line.read_until(end + b"\r\n") == end + b"\r\n"
        back = b"2;x=y\r\n{}\r\n0\r\nX-Sum: 9\r\n\r\n"
        line.send(JSON_HEAD + b"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" + back)
        assert read_until(client, b"X-Sum: 9\r\n\r\n").endswith(b"\r\n\r\n" + back)


@pytest.mark.parametrize("step", [1, 5, 10_000])
@pytest.mark.parametrize("path", [PATH, CHAT, "/anthropic/v1/messages"])
def test_a_chunked_request(stack: Stack, peer: Peer, path: str, step: int) -> None:
    """A body in chunks of any size arrives whole, a collected chat body with its length; the model is read."""
    body = chat("m-asked", "x" * 300)
    cuts = [body[at : at + step] for at in range(0, len(body), step)]
    coded = b"".join(b"%X\r\n%b\r\n" % (len(cut), cut) for cut in cuts) + LAST_CHUNK
    with stack.connect() as client:
        client.sendall(chunked(path, coded))
        line = peer.accept()
        if path == CHAT:
            assert line.read_request()[1] == body
        else:
            line.read_until(b"\r\n\r\n")
            assert unchunked(line.read_until(b"\r\n" + LAST_CHUNK)) == body
        line.answer()
        assert read_reply(client).endswith(USAGE)
    assert stack.rows()[0]["requested_model"] == "m-asked"


def test_pipelined_requests(stack: Stack, peer: Peer) -> None:
    """Ten requests in one write, served and refused ones mixed, are answered in order, one after the other."""
    kinds = [CHAT, PATH, "/openai/v1/files", CHAT, "/nobody/x", PATH, PATH, "/openai/v1/files", CHAT, PATH]
    sent = [request(path, chat(f"m-{at}"), close=at == 9) for at, path in enumerate(kinds)]
    with stack.connect() as client:
        client.sendall(b"".join(sent))
        line = peer.accept()
        for at, path in enumerate(kinds):
            if path in (CHAT, PATH):
                assert line.read_request()[1] == chat(f"m-{at}")
                line.answer(b'{"model":"r-%d"}' % at)
        found = answers(read_all(client))
    assert [answer[9:12] for answer in found] == [b"200" if path in (CHAT, PATH) else b"404" for path in kinds]
    served_ones = [at for at, path in enumerate(kinds) if path in (CHAT, PATH)]
    bodies = [answer for answer in found if answer[9:12] == b"200"]
    assert [f'"r-{at}"'.encode() in body for at, body in zip(served_ones, bodies, strict=True)] == [True] * 7
    assert [row["requested_model"] for row in stack.rows(7)] == [f"m-{at}" for at in served_ones]
    assert peer.nobody_comes(0.05), "one connection to the provider served them all"


def test_the_next_request_waits_for_its_turn(stack: Stack, peer: Peer) -> None:
    """A pipelined request is not sent on while the first is still being answered."""
    with stack.connect() as client:
        line = begun(client, peer, request(PATH, chat("m-0"), close=False) + request(PATH, chat("m-1")))
        assert peer.nobody_comes(0.1)
        line.answer()
        assert read_reply(client).endswith(USAGE)
        assert line.read_request()[1] == chat("m-1")
        line.answer()
        assert read_reply(client).endswith(USAGE)


@pytest.mark.parametrize("pace", [1, 100])
def test_a_request_in_small_pieces(stack: Stack, peer: Peer, pace: int) -> None:
    """Head and body may come byte by byte."""
    data = request(PATH, chat())
    with stack.connect() as client:
        for at in range(0, len(data), pace):
            client.sendall(data[at : at + pace])
        line = peer.accept()
        assert line.read_request()[1] == chat()
        line.answer()
        assert read_reply(client).endswith(USAGE)


def test_keep_alive_and_close(stack: Stack, peer: Peer) -> None:
    """One client connection serves many requests over one provider connection, until the client says close."""
    with stack.connect() as client:
        line = begun(client, peer, request(PATH, chat(), close=False))
        line.answer()
        for last in (False, False, True):
            assert values(read_reply(client), b"connection") == []
            client.sendall(request(PATH, chat(), close=last))
            line.read_request()
            line.answer()
        assert values(read_reply(client), b"connection") == [b"close"]
        assert client.recv(1) == b""
    assert peer.nobody_comes(0.05)
    line.close()


def test_a_closing_provider_is_not_reused(stack: Stack, peer: Peer) -> None:
    """A provider that says close gets a new connection for the next request, and the client's stays open."""
    with stack.connect() as client:
        for _ in range(2):
            line = begun(client, peer, request(PATH, chat(), close=False))
            line.answer(head=JSON_HEAD + b"Connection: close\r\n")
            assert values(read_reply(client), b"connection") == []
            assert line.closed()
