"""Every way out of an exchange: one row, the provider's connection closed or given back, the client told the truth."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import Any

import pytest
from peer import JSON_HEAD, SSE_HEAD, USAGE, Peer, played
from stack import BYO_KEY, Stack, chat, read_all, read_answer, request, wait_for

pytestmark = pytest.mark.e2e
PLAYED: dict[str, str] = {"config": "read_timeout_secs = 1\nwrite_timeout_secs = 1"}
EVENT = b'data: {"model":"m-1","choices":[{"delta":{"content":"hello "}}]}\n\n'
PATH = "/openai/v1/responses"


def one_row(stack: Stack, **expected: object) -> dict[str, Any]:
    """The one row there is, which says what is expected; no second one follows."""
    row = stack.rows(1)[0]
    assert {name: row.get(name) for name in expected} == expected
    time.sleep(0.05)
    assert len(stack.rows(1)) == 1
    return row


def test_ok(stack: Stack, peer: Peer) -> None:
    """A whole answer gives an ok row, and the connection serves the next request."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat(), close=False))
        line = peer.accept()
        for second in (False, True):
            if second:
                stack.forget_rows()
                client.sendall(request(PATH, chat(), close=False))
            line.read_request()
            line.answer()
            assert read_answer(client).endswith(USAGE)
            one_row(stack, outcome="ok", model="m-1", input_tokens=7, output_tokens=3, usage_estimated=False)
    assert peer.nobody_comes(0.1)
    line.close()


def test_client_leaves_before_an_answer(stack: Stack, peer: Peer) -> None:
    """The provider's connection is closed within 50 ms of the client's leaving."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
    left = time.monotonic()
    assert line.closed()
    assert time.monotonic() - left < 0.5, "the bound is 50 ms; the slack is the test machine's"
    one_row(stack, outcome="client_cancelled", requested_model="gpt-x")


def test_client_leaves_in_the_middle_of_a_stream(stack: Stack, peer: Peer) -> None:
    """A stream that the client hangs up on is not free."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat(text="x" * 500)))
        line = peer.accept()
        line.read_request()
        line.send(SSE_HEAD)
        for _ in range(5):
            line.chunk(EVENT)
        wait_for(lambda: EVENT in client.recv(65536), "an event")
    assert line.closed()
    row = one_row(stack, outcome="client_cancelled", usage_estimated=True, upstream_status=200, stream=True)
    assert row["input_tokens"] == 100
    assert row["output_tokens"] >= 1


def test_client_leaves_while_sending(stack: Stack, peer: Peer) -> None:
    """Half a request body, then nothing: cancelled on both sides."""
    with stack.connect() as client:
        client.sendall(request(PATH, b"x" * 5000)[:-2000])
        line = peer.accept()
        line.read_until(b"\r\n\r\n")
    while line.socket.recv(65536):
        pass
    one_row(stack, outcome="client_cancelled")


def test_client_leaves_while_a_body_is_collected(stack: Stack, peer: Peer) -> None:
    """A chat body that never completes reaches no provider, and its row is written."""
    with stack.connect() as client:
        client.sendall(request(body=b"x" * 5000)[:-2000])
        time.sleep(0.05)
    one_row(stack, outcome="client_cancelled", provider="openai")
    assert peer.nobody_comes(0.1)


def test_provider_dies_before_its_answer(stack: Stack, peer: Peer) -> None:
    """On a fresh connection the request may have been processed: 502, and it is not sent again."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        line.reset()
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"upstream failed after receiving the request" in answer
    one_row(stack, outcome="upstream_error")
    assert peer.nobody_comes()


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_provider_dies_in_its_answer(stack: Stack, peer: Peer, framing: str, end: str) -> None:
    """The client sees an unfinished body, never a clean end."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        if framing == "chunked":
            line.send(SSE_HEAD)
            line.chunk(EVENT)
        else:
            line.send(JSON_HEAD + b"Content-Length: 1000\r\n\r\n" + EVENT)
        wait_for(lambda: client.recv(65536).endswith((EVENT, EVENT + b"\r\n")), "the first part")
        getattr(line, end)()
        rest = read_all(client)
    assert rest == b"", "no last chunk, no made-up end"
    one_row(stack, outcome="cut_short", usage_estimated=True)


def test_an_answer_until_close_is_framed(stack: Stack, peer: Peer) -> None:
    """A body that ends with the provider's connection reaches an HTTP/1.1 client in chunks, with its end."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        line.send(JSON_HEAD + b"\r\n" + USAGE)
        line.close()
        answer = read_all(client)
    assert answer.endswith(b"%x\r\n%b\r\n0\r\n\r\n" % (len(USAGE), USAGE))
    one_row(stack, outcome="ok", input_tokens=7)


def test_http_1_0_gets_no_chunks(stack: Stack, peer: Peer) -> None:
    """A chunked answer to an HTTP/1.0 client comes without chunks and ends with the connection."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat()).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        line = peer.accept()
        line.read_request()
        line.send(SSE_HEAD)
        line.chunk(EVENT)
        line.send(b"0\r\n\r\n")
        head, _, body = read_all(client).partition(b"\r\n\r\n")
    assert body == EVENT
    assert b"transfer-encoding" not in head.lower()


def test_http_1_0_sees_a_cut(stack: Stack, peer: Peer) -> None:
    """Where only the connection's end tells the body's, a cut is a reset, not an end."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat()).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        line = peer.accept()
        line.read_request()
        line.send(SSE_HEAD)
        line.chunk(EVENT)
        wait_for(lambda: client.recv(65536).endswith(EVENT), "the first part")
        line.close()
        with pytest.raises(ConnectionResetError):
            client.recv(100)
    one_row(stack, outcome="cut_short", usage_estimated=True)


def test_provider_is_silent(stack: Stack, peer: Peer) -> None:
    """No byte within the read timeout: 504 and a timeout row."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert line.closed()
    one_row(stack, outcome="timeout")


def test_provider_falls_silent(stack: Stack, peer: Peer) -> None:
    """A stream that stalls is cut, and metered for what came."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        line.send(SSE_HEAD)
        line.chunk(EVENT)
        with contextlib.suppress(ConnectionResetError):
            while client.recv(65536):
                pass
    assert line.closed()
    one_row(stack, outcome="timeout", usage_estimated=True)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\nX: y\n\n",
        b"HTTP/9 200\r\n\r\n",
    ],
)
def test_provider_talks_nonsense(stack: Stack, peer: Peer, garbage: bytes) -> None:
    """What is not HTTP is answered 502 and its connection closed."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        line.send(garbage)
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert line.closed()
    one_row(stack, outcome="upstream_error")


def test_provider_breaks_its_chunks(stack: Stack, peer: Peer) -> None:
    """A bad chunk in the middle is a cut, not an end."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        line.send(SSE_HEAD)
        line.chunk(EVENT)
        line.send(b"xyz\r\n")
        answer = read_all(client)
    assert not answer.endswith(b"0\r\n\r\n")
    assert line.closed()
    one_row(stack, outcome="cut_short")


def test_endless_response_head(stack: Stack, peer: Peer) -> None:
    """Headers without end are refused at the cap."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        with contextlib.suppress(OSError):
            line.send(b"HTTP/1.1 200 OK\r\n")
            for number in range(2000):
                line.send(b"X-%d: %b\r\n" % (number, b"a" * 100))
        assert read_all(client).startswith(b"HTTP/1.1 502 ")
    one_row(stack, outcome="upstream_error")


def test_answer_before_the_body_is_read(stack: Stack, peer: Peer) -> None:
    """A provider that answers early is heard, and neither connection is used again."""
    with stack.connect() as client:
        client.sendall(request(PATH, b"x" * 100_000, close=False)[:-50_000])
        line = peer.accept()
        line.read_until(b"\r\n\r\n")
        line.answer(b'{"error":{"message":"too large"}}', b"HTTP/1.1 413 Content Too Large\r\n")
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()
    assert answer.endswith(b'{"error":{"message":"too large"}}')
    one_row(stack, outcome="upstream_error", upstream_status=413)


def test_a_stale_connection_is_replaced(stack: Stack, peer: Peer) -> None:
    """A reused connection that dies before any answer: once more on a fresh one, with the whole request."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat(), close=False))
        line = peer.accept()
        line.read_request()
        line.answer()
        assert read_answer(client).endswith(USAGE)
        body = chat(text="y" * 3000)
        client.sendall(request(PATH, body))
        line.read_request()
        line.reset()
        again = peer.accept()
        assert again.read_request()[1] == body
        again.answer()
        assert read_all(client).endswith(USAGE)
    assert [row["outcome"] for row in stack.rows(2)] == ["ok", "ok"]


def test_a_stale_connection_is_replaced_once(stack: Stack, peer: Peer) -> None:
    """When the fresh one dies too the request is not sent a third time."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat(), close=False))
        line = peer.accept()
        line.read_request()
        line.answer()
        read_answer(client)
        client.sendall(request(PATH, chat()))
        line.read_request()
        line.reset()
        again = peer.accept()
        again.read_request()
        again.reset()
        assert read_all(client).startswith(b"HTTP/1.1 502 ")
    assert peer.nobody_comes()
    assert [row["outcome"] for row in stack.rows(2)] == ["ok", "upstream_error"]


def test_no_second_sending_after_a_byte_of_answer(stack: Stack, peer: Peer) -> None:
    """A reused connection that dies in the response head has been at work: 502 at once."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat(), close=False))
        line = peer.accept()
        line.read_request()
        line.answer()
        read_answer(client)
        client.sendall(request(PATH, chat()))
        line.read_request()
        line.send(b"HTTP/1.1 200 OK\r\nContent-")
        line.close()
        assert read_all(client).startswith(b"HTTP/1.1 502 ")
    assert peer.nobody_comes()


def test_a_connection_with_more_to_say_is_not_reused(stack: Stack, peer: Peer) -> None:
    """Bytes behind a response would be taken for the next tenant's answer: the connection goes."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat(), close=False))
        line = peer.accept()
        line.read_request()
        line.send(JSON_HEAD + b"Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\n")
        read_answer(client)
        assert line.closed()


def test_nobody_listens() -> None:
    """No provider: 502 after the tries, one row without a status."""
    with played() as (stack, peer):
        peer.close()
        answer = stack.raw(request(PATH, chat()))
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"no provider could be reached" in answer
        row = one_row(stack, outcome="upstream_error")
        assert "upstream_status" not in row
        assert sum(line["fields"]["message"] == "provider cannot be reached" for line in stack.log()) == 3


def test_shutdown_in_a_stream() -> None:
    """A shutdown whose grace is over cuts the stream, writes its row and ends with 0."""
    with played(config="shutdown_grace_period_secs = 0.2") as (stack, peer), stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        line.send(SSE_HEAD)
        line.chunk(EVENT)
        wait_for(lambda: EVENT in client.recv(65536), "an event")
        assert stack.process.poll() is None
        assert stack.stop() == 0
        assert not read_all(client).endswith(b"0\r\n\r\n")
        one_row(stack, outcome="cut_short", usage_estimated=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_shutdown_past_a_client_that_reads_nothing(workers: int) -> None:
    """What waits for such a client does not keep the process once the grace is over."""
    settings = f"workers = {workers}\nshutdown_grace_period_secs = 0.2"
    with played(config=settings) as (stack, peer), stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        line.send(SSE_HEAD)
        line.socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while True:
                line.chunk(b"x" * 65536)
        begun = time.monotonic()
        assert stack.stop() == 0
        assert time.monotonic() - begun < 10
        one_row(stack, outcome="cut_short", usage_estimated=True)


def test_shutdown_waits_for_a_stream() -> None:
    """Within the grace period a stream ends as it would have, and the process with it."""
    with played() as (stack, peer), stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        line.send(SSE_HEAD)
        line.chunk(EVENT)
        stack.process.terminate()
        wait_for(lambda: any(entry["fields"]["message"] == "draining" for entry in stack.log()), "draining")
        line.chunk(b"data: " + USAGE + b"\n\n")
        line.send(b"0\r\n\r\n")
        assert read_all(client).endswith(b"0\r\n\r\n")
        assert stack.process.wait(10) == 0
        one_row(stack, outcome="ok", input_tokens=7)


def test_sighup_is_answered_in_the_log(stack: Stack, peer: Peer) -> None:
    """A reload without a change is told, and ends nothing."""
    stack.process.send_signal(signal.SIGHUP)
    wait_for(lambda: stack.said("settings reloaded"), "a line about reload")
    with stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept()
        line.read_request()
        line.answer()
        assert read_all(client).endswith(USAGE)
    one_row(stack, outcome="ok")


def test_byo_writes_no_row(stack: Stack, peer: Peer) -> None:
    """A caller's own key is served and not metered."""
    with stack.connect() as client:
        client.sendall(request(PATH, chat(), key=BYO_KEY))
        line = peer.accept()
        head, _ = line.read_request()
        line.answer()
        assert read_all(client).endswith(USAGE)
    assert BYO_KEY.encode() in head
    time.sleep(0.05)
    assert stack.rows(0) == []
