"""HTTP/1.1 as much as a `ModelServer` needs of it: requests read from a socket, heads and chunks written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_agent_core.testing.model_server_script import Asked

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping


def read_request(connection: socket.socket, number: int) -> Asked | None:
    """Return the next request, None where the client has ended the connection instead.

    Raises OSError where it ends within one.
    """
    data = connection.recv(65_536)
    if not data:
        return None
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    raw, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = raw.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = _chunked(connection, rest)
    else:
        size = int(headers.get("content-length", "0"))
        while len(rest) < size:
            rest += _more(connection)
        body = rest[:size]
    return Asked(method=method, path=path, headers=headers, body=body, connection=number)


def _chunked(connection: socket.socket, data: bytes) -> bytes:
    body = b""
    while True:
        while b"\r\n" not in data:
            data += _more(connection)
        line, _, data = data.partition(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        while len(data) < size + 2:
            data += _more(connection)
        if not size:
            return body
        body += data[:size]
        data = data[size + 2 :]


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise ConnectionResetError("the client left within a request")
    return data


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return the head of an answer."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Scripted\r\n{fields}\r\n".encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Return `data` as one chunk of a body; nothing is the end of the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)
