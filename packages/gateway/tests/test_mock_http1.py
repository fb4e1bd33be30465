"""HTTP/1.1 of the embedded provider: parsing in every cut, and what it keeps of a request."""

import pytest

from beyond_gateway.mock.http1 import Head, Request, RequestParser, chunk, last_chunk, response_head
from beyond_gateway.mock.record import KEPT_BODY_BYTES, KEPT_REQUESTS, Recorded, new_log

TWO = (
    b"POST /v1/a?b=%2F HTTP/1.1\r\nHost: h\r\nX-Twice: 1\r\nx-twice: 2\r\nContent-Length: 5\r\n\r\nhello"
    b"GET /v1/models HTTP/1.0\r\nHost: h\r\n\r\n"
)


class Heard:
    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.bodies: list[bytes] = []
        self.finished = 0

    def request_started(self, head: Head) -> None:
        self.heads.append(head)
        self.bodies.append(b"")

    def request_data(self, data: bytes) -> None:
        self.bodies[-1] += data

    def request_finished(self) -> None:
        self.finished += 1


def recorded() -> Recorded:
    return Recorded(method="POST", target="/v1/x?mock=hold%3D2", headers=[], connection=1, received_at=0.0)


@pytest.mark.parametrize("size", [len(TWO), 1, 7, 64])
def test_pipelined_requests_in_every_cut(size: int) -> None:
    """Targets, header spelling and order, bodies and versions are the same however the bytes arrive."""
    heard = Heard()
    parser = RequestParser(heard)

    for at in range(0, len(TWO), size):
        parser.feed(TWO[at : at + size])

    first, second = heard.heads
    headers = [("Host", "h"), ("X-Twice", "1"), ("x-twice", "2"), ("Content-Length", "5")]
    assert first == Head("POST", "/v1/a?b=%2F", headers, keep_alive=True, http10=False)
    assert (second.target, second.keep_alive, second.http10) == ("/v1/models", False, True)
    assert (heard.bodies, heard.finished) == ([b"hello", b""], 2)


def test_directives_are_known_before_the_body_is_complete() -> None:
    """The first body bytes tell the model, and the query needs none."""
    incoming = Request(recorded(), keep_alive=True)
    assert incoming.peeked.hold == 2
    assert not incoming.ready

    incoming.take(b'{"model": "mock:early=1", "messages": [')

    assert incoming.ready


def test_a_record_is_bounded_but_counts_everything() -> None:
    """Of a body the first 1 MiB is kept, its size and digest cover all; of requests the last 1,000."""
    kept = recorded()
    kept.take(b"a" * KEPT_BODY_BYTES)
    kept.take(b"\xff")
    log = new_log()
    log.extend(recorded() for _ in range(KEPT_REQUESTS + 1))

    assert (kept.size, len(kept.body)) == (KEPT_BODY_BYTES + 1, KEPT_BODY_BYTES)
    assert kept.to_json()["sha256"] == kept.sha256
    assert kept.sha256 != recorded().sha256
    assert len(log) == KEPT_REQUESTS


def test_a_body_that_is_not_text_is_shown_as_base64() -> None:
    """JSON of a record holds any bytes."""
    kept = recorded()
    kept.take(b"\xff\x00")

    shown = kept.to_json()
    assert shown["body_base64"] == "/wA="
    assert "body" not in shown


def test_written_framing() -> None:
    """Heads, chunks with extensions, trailers: byte for byte; empty data makes no chunk."""
    assert response_head(529, [("a", "b")]) == b"HTTP/1.1 529 Unknown\r\na: b\r\n\r\n"
    assert response_head(200, [], http10=True) == b"HTTP/1.0 200 OK\r\n\r\n"
    assert chunk(b"x" * 16, ";e=1") == b"10;e=1\r\n" + b"x" * 16 + b"\r\n"
    assert chunk(b"") == b""
    assert last_chunk([("t", "1")]) == b"0\r\nt: 1\r\n\r\n"
