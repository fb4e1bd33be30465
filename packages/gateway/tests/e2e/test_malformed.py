"""No ambiguous request reaches a provider, and the worker lives."""

from __future__ import annotations

import msgspec
import pytest
from malformed import MALFORMED
from stack import Provider, Stack, chat, read_all, request

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(("name", "status", "data"), MALFORMED, ids=[row[0] for row in MALFORMED])
def test_each_gets_its_status(stack: Stack, provider: Provider, name: str, status: int, data: bytes) -> None:
    """The exact status, the error shape, the request id, a closed connection, and nothing at the provider."""
    with stack.connect() as connection:
        connection.sendall(data)
        connection.shutdown(1) if status == 200 else None
        answer = read_all(connection) if status not in (200, 404) else connection.recv(65536)
    if status == 200:
        # Half-closed at once: the client is taken to have left, and its request was sent at most once.
        assert len(provider.requests()) <= 1
        return
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), (name, answer[:200])
    assert b"x-beyond-request-id: " in head
    assert answer.count(b"HTTP/1.1 ") == 1, "one answer only"
    error = msgspec.json.decode(body)["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    # A bad chunk is seen when it comes; a stream to the provider may have begun, it never gets a whole request.
    assert [seen for seen in provider.requests() if not seen["aborted"]] == []


def test_the_worker_lives(stack: Stack, provider: Provider) -> None:
    """After all of these an honest request is served."""
    for _, _, data in MALFORMED[:20]:
        stack.raw(data)
    assert stack.raw(request(body=chat())).startswith(b"HTTP/1.1 200 ")
    assert len(provider.requests()) == 1
