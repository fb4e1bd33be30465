"""Sends or receives a big body over blocking sockets.

Run: bulk_client.py PORT PATH KEY UP_BYTES TIMES. UP_BYTES above 0 go out chunked, without a declared length, TIMES
times over one connection; prints one JSON object with the last status, bytes received after the last head, and seconds.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from contextlib import suppress

CHUNK = 64 * 1024
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)


def send(client: socket.socket, path: str, key: str, size: int) -> None:
    """The request: chunks of 64 KiB of multipart-like filler, or a two-byte JSON body."""
    kind, framing = ("audio/wav", "Transfer-Encoding: chunked") if size else ("application/json", "Content-Length: 2")
    head = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {key}",
        f"Content-Type: {kind}",
        framing,
    ]
    client.sendall("\r\n".join([*head, "", ""]).encode())
    if not size:
        client.sendall(b"{}")
        return
    chunk = b"%x\r\n%s\r\n" % (CHUNK, b"fedcba9876543210" * (CHUNK // 16))
    for _ in range(size // CHUNK):
        client.sendall(chunk)
    client.sendall(b"0\r\n\r\n")


def receive(client: socket.socket) -> tuple[int, int]:
    """Status and body bytes of an answer that declares its length, or that ends with an empty chunk."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(4096) or b"\r\n\r\n"
    head, _, body = head.partition(b"\r\n\r\n")
    length, seen, tail = LENGTH.search(head), len(body), body
    buffer = bytearray(1 << 18)
    while (seen < int(length[1])) if length else not tail.endswith(b"0\r\n\r\n"):
        got = client.recv_into(buffer)
        if not got:
            break
        seen, tail = seen + got, (tail + buffer[max(0, got - 5) : got])[-5:]
    return int(head.split(b" ", 2)[1]), seen


def exchange(client: socket.socket, path: str, key: str, size: int) -> tuple[int, int]:
    """Status and body bytes of one exchange; status 0 where the connection was cut without an answer."""
    with suppress(BrokenPipeError, ConnectionResetError):
        send(client, path, key, size)
    try:
        return receive(client)
    except (ConnectionResetError, IndexError, ValueError):
        return 0, 0


def main() -> None:
    """The exchanges, until one is refused."""
    port, path, key, size, times = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    began, status, seen = time.monotonic(), 200, 0
    with socket.create_connection(("127.0.0.1", port), 120) as client:
        for _ in range(times):
            status, seen = exchange(client, path, key, size)
            if status != 200:
                break
    print(json.dumps({"status": status, "received": seen, "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main()
