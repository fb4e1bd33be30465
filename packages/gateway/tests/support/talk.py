"""Short ways to say one whole exchange and to take heads and bodies apart, for tests that look at bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peer import JSON_HEAD, USAGE, Peer
from stack import Stack, read_all

if TYPE_CHECKING:
    import socket

LAST_CHUNK = b"0\r\n\r\n"


def fields(head: bytes) -> list[tuple[bytes, bytes]]:
    """Every field of a head as (name as spelt, value), in order."""
    lines = head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]


def values(head: bytes, name: bytes) -> list[bytes]:
    """The values of one field, which is looked for in any case."""
    return [value for found, value in fields(head) if found.lower() == name.lower()]


def names(head: bytes) -> set[bytes]:
    """The names of a head's fields in lower case."""
    return {name.lower() for name, _ in fields(head)}


def target(head: bytes) -> bytes:
    """The target of a request."""
    return head.split(b" ", 2)[1]


def served(stack: Stack, peer: Peer, data: bytes, *, answer: bytes = b"") -> tuple[bytes, bytes, bytes]:
    """One request on a new connection, answered by the peer on a new one: head and body that came, and the reply.

    `answer` is the peer's whole answer, by default a small JSON one; the peer closes its connection behind it.
    """
    with stack.connect() as client:
        client.sendall(data)
        line = peer.accept()
        head, body = line.read_request()
        line.send(answer or JSON_HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(USAGE) + USAGE)
        line.close()
        return head, body, read_reply(client)


def read_until(connection: socket.socket, end: bytes, data: bytes = b"") -> bytes:
    """Bytes, `data` first, up to the read after which they end with `end`."""
    while not data.endswith(end):
        part = connection.recv(65536)
        assert part, f"closed after {data[-200:]!r}"
        data += part
    return data


def read_reply(connection: socket.socket) -> bytes:
    """One answer with its body, by its Content-Length or its last chunk, else up to the connection's end."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        assert part, f"closed after {data!r}"
        data += part
    if values(data, b"content-length"):
        while len(data.partition(b"\r\n\r\n")[2]) < int(values(data, b"content-length")[0]):
            data += connection.recv(65536)
        return data
    if values(data, b"transfer-encoding"):
        return read_until(connection, b"0\r\n\r\n", data)
    return data + read_all(connection)


def unchunked(body: bytes) -> bytes:
    """The payload of a chunked body that ends with its last chunk; extensions and trailers are passed over."""
    out = b""
    while True:
        line, _, body = body.partition(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        if not size:
            return out
        assert body[size : size + 2] == b"\r\n"
        out += body[:size]
        body = body[size + 2 :]


def answers(data: bytes) -> list[bytes]:
    """Consecutive answers, each with its Content-Length, as they were sent."""
    found: list[bytes] = []
    while data:
        head, end, rest = data.partition(b"\r\n\r\n")
        length = int(values(head + end, b"content-length")[0])
        found.append(head + end + rest[:length])
        data = rest[length:]
    return found
