"""Memory does not follow the size of a body, and whoever is slow slows the other side down."""

from __future__ import annotations

import contextlib
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from peer import JSON_HEAD, SSE_HEAD, USAGE, Line, Peer, played
from stack import BYO_KEY, KEY, WAIT_S, Stack, chat, read_all, request
from talk import LAST_CHUNK, read_reply, read_until, values

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator

pytestmark = pytest.mark.e2e
PLAYED: dict[str, str] = {}
PATH = "/openai/v1/responses"
CHAT = "/openai/v1/chat/completions"
MIB = 1 << 20
CAP = 100 * MIB
GROWTH = 8 * MIB
# More than this the kernel does not hold on two loopback connections (net.ipv4.tcp_wmem and tcp_rmem, their maxima).
IN_THE_KERNEL = 64 * MIB
EVENT = b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % (b"word " * 3200)
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
EVENTS = 1024 * MIB // len(CHUNK)


def resident(stack: Stack, field: str = "VmRSS") -> int:
    """Bytes that the gateway has in memory, or at most had with `VmHWM`."""
    status = Path(f"/proc/{stack.process.pid}/status").read_text()
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


@contextlib.contextmanager
def grows_little(stack: Stack) -> Generator[None]:
    """Fail where the gateway at any time had 8 MiB more in memory than before."""
    Path(f"/proc/{stack.process.pid}/clear_refs").write_text("5")
    before = resident(stack)
    yield
    assert resident(stack, "VmHWM") - before < GROWTH


def begun(client: socket.socket, peer: Peer, data: bytes) -> Line:
    client.sendall(data)
    line = peer.accept()
    line.read_until(b"\r\n\r\n")
    return line


def send_until_blocked(connection: socket.socket, piece: bytes, limit: int) -> int:
    """Send `piece` again and again; return how many bytes went before a second passed in which none did."""
    sent = 0
    connection.settimeout(1.0)
    with contextlib.suppress(TimeoutError):
        while sent < limit:
            sent += connection.send(piece[: limit - sent])
    connection.settimeout(WAIT_S)
    return sent


def receive(connection: socket.socket, size: int) -> int:
    """Take `size` bytes, or what comes before the end, and return how many came."""
    taken, room = 0, bytearray(MIB)
    while taken < size and (count := connection.recv_into(room, min(MIB, size - taken))):
        taken += count
    return taken


def count_events(connection: socket.socket) -> int:
    """Read a stream of EVENT up to the connection's end, in whatever chunks; return how many events it had."""
    braces, last, room = 0, b"", bytearray(MIB)
    while count := connection.recv_into(room):
        braces += room.count(b"{", 0, count)
        last = (last + room[max(0, count - 64) : count])[-64:]
    assert last.endswith(b"\n\r\n" + LAST_CHUNK)
    assert braces % EVENT.count(b"{") == 0
    return braces // EVENT.count(b"{")


def send(connection: socket.socket, size: int, piece: bytes = b"x" * MIB, end: bytes = b"") -> threading.Thread:
    """Send `size` bytes, `piece` again and again, and `end`, from a thread of its own, which is returned running."""

    def run() -> None:
        for at in range(0, size, len(piece)):
            connection.sendall(piece[: size - at])
        connection.sendall(end)

    thread = threading.Thread(target=run, name="sender")
    thread.start()
    return thread


@pytest.mark.parametrize("key", [KEY, BYO_KEY])
def test_a_gigabyte_down(stack: Stack, peer: Peer, key: str) -> None:
    """1 GiB of JSON passes through memory that does not grow."""
    with stack.connect() as client:
        line = begun(client, peer, request(PATH, chat(), key=key))
        line.send(JSON_HEAD + b"Content-Length: %d\r\n\r\n" % (1024 * MIB))
        read_until(client, b"\r\n\r\n")
        with grows_little(stack):
            sender = send(line.socket, 1024 * MIB)
            assert receive(client, 1024 * MIB) == 1024 * MIB
            sender.join(WAIT_S)


@pytest.mark.parametrize(("path", "key"), [(PATH, KEY), (CHAT, KEY), (CHAT, BYO_KEY)])
def test_a_gigabyte_of_events(stack: Stack, peer: Peer, path: str, key: str) -> None:
    """1 GiB of stream passes too, metered, searched for a usage event to hide, or neither."""
    with stack.connect() as client:
        line = begun(client, peer, request(path, chat(stream=True), key=key))
        line.send(SSE_HEAD)
        read_until(client, b"\r\n\r\n")
        with grows_little(stack):
            sender = send(line.socket, EVENTS * len(CHUNK), CHUNK * 64, LAST_CHUNK)
            assert count_events(client) == EVENTS
            sender.join(WAIT_S)


@pytest.mark.parametrize("key", [KEY, BYO_KEY])
def test_the_largest_body_up(stack: Stack, peer: Peer, key: str) -> None:
    """100 MiB of request, the most there may be, pass through memory that does not grow."""
    with stack.connect() as client:
        head = request(PATH, key=key).replace(b"Content-Length: 0", b"Content-Length: %d" % CAP)
        line = begun(client, peer, head)
        with grows_little(stack):
            sender = send(client, CAP)
            assert receive(line.socket, CAP) == CAP
            sender.join(WAIT_S)
        line.answer()
        assert read_reply(client).endswith(USAGE)


@pytest.mark.parametrize("path", [PATH, CHAT])
def test_a_slow_client_slows_the_provider(stack: Stack, peer: Peer, path: str) -> None:
    """Of 200 MiB for a client that does not read the provider can send what the kernel holds; later all of it comes."""
    size = 200 * MIB // len(CHUNK) * len(CHUNK)
    with stack.connect() as client:
        line = begun(client, peer, request(path, chat(stream=True)))
        line.send(SSE_HEAD)
        read_until(client, b"\r\n\r\n")
        with grows_little(stack):
            sent = send_until_blocked(line.socket, CHUNK * 10, size)
            assert sent < IN_THE_KERNEL
            sender = send(line.socket, size - sent, (CHUNK * 65)[sent % len(CHUNK) :][: len(CHUNK) * 64], LAST_CHUNK)
            assert count_events(client) == size // len(CHUNK)
            sender.join(WAIT_S)


@pytest.mark.parametrize("key", [KEY, BYO_KEY])
def test_a_slow_provider_slows_the_client(stack: Stack, peer: Peer, key: str) -> None:
    """Of 100 MiB for a provider that does not read the client can send what the kernel holds; later all arrive."""
    with stack.connect() as client:
        head = request(PATH, key=key).replace(b"Content-Length: 0", b"Content-Length: %d" % CAP)
        line = begun(client, peer, head)
        with grows_little(stack):
            sent = send_until_blocked(client, b"x" * MIB, CAP)
            assert sent < IN_THE_KERNEL
            sender = send(client, CAP - sent)
            assert receive(line.socket, CAP) == CAP
            sender.join(WAIT_S)
        line.answer()
        assert read_reply(client).endswith(USAGE)


@pytest.mark.parametrize("path", [PATH, CHAT])
def test_a_chunked_body_above_the_cap(stack: Stack, peer: Peer, path: str) -> None:
    """A body that declares no length is refused when it has passed the cap; a chat body has reached nobody by then."""
    chunk = b"100000\r\n" + b"x" * MIB + b"\r\n"
    head = request(path, headers=("Transfer-Encoding: chunked",)).replace(b"Content-Length: 0\r\n", b"")
    with stack.connect() as client:
        client.sendall(head)
        received: list[int] = []
        if path == PATH:
            line = peer.accept()
            threading.Thread(target=lambda: received.append(receive(line.socket, 2 * CAP)), name="reader").start()
        with contextlib.suppress(ConnectionError):
            for _ in range(102):
                client.sendall(chunk)
        assert read_all(client).startswith(b"HTTP/1.1 413 ")
    assert path == PATH or peer.nobody_comes(0.1)
    assert stack.rows()[0]["outcome"] == "client_cancelled"


def test_the_budget_of_collected_bodies() -> None:
    """Chat bodies that wait are counted together: above the budget 503 with Retry-After, what ends is given back."""
    with played(config="max_buffered_body_bytes = 100000") as (stack, peer):
        body = chat(text="x" * 60_000)

        def refused() -> bool:
            answer = stack.raw(request(CHAT, body))
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert int(values(answer, b"retry-after")[0]) > 0
            return peer.nobody_comes(0.05)

        for _ in range(3):
            with stack.connect() as first:
                first.sendall(request(CHAT, body)[:-10])
                assert refused()
                first.sendall(request(CHAT, body)[-10:])
                line = peer.accept()
                assert line.read_request()[1] == body
                line.answer()
                assert read_reply(first).endswith(USAGE)
                line.close()
            with stack.connect() as leaving:
                leaving.sendall(request(CHAT, body)[:-10])
                assert refused()
            stack.rows(1)
        assert stack.raw(request(CHAT, chat(text="x" * 120_000))).startswith(b"HTTP/1.1 503 ")
        with stack.connect() as chunked:
            head = request(CHAT, headers=("Transfer-Encoding: chunked",)).replace(b"Content-Length: 0\r\n", b"")
            chunked.sendall(head + b"1d4c0\r\n" + b"x" * 120_000 + b"\r\n")
            assert chunked.recv(65536).startswith(b"HTTP/1.1 503 ")
