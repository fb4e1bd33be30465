"""After a day of everything that can go wrong no log line, row or error has a key in it."""

from __future__ import annotations

import re
import socket
import struct
from pathlib import Path

import pytest
from peer import JSON_HEAD, SSE_HEAD, Peer, played
from stack import BYO_KEY, KEY, POOL_KEYS, chat, read_all, request, running
from talk import read_reply

pytestmark = pytest.mark.e2e
FORGED = KEY[:-6] + "AAAAAA"
PROMPT = "the-prompt-is-private-too"
BODY = chat(text=PROMPT)
PATH = "/openai/v1/responses"
PATHS = ("/openai/v1/chat/completions", PATH, "/anthropic/v1/messages", "/groq/openai/v1/chat/completions")
FAULTS = ("echo_key=1", "echo_key=1,chunk=3", "status=500", "cut=-1", "cut=300", "error_event=1", "status=401")
SECRETS = {
    "managed key": KEY,
    "payload and signature": KEY.removeprefix("bai_v1.1."),
    "signature": KEY.rpartition(".")[2],
    "half of the signature": KEY[-86:-43],
    "forged key": FORGED,
    "own key": BYO_KEY,
    "prompt": PROMPT,
    **{f"pool key of {name}": key for name, key in POOL_KEYS.items()},
}


def leaks(text: bytes) -> list[str]:
    """Which secrets stand in `text`, in any case."""
    lowered = text.lower()
    return [name for name, secret in SECRETS.items() if secret.lower().encode() in lowered]


def malformed(key: str) -> list[bytes]:
    """Requests that are refused while the key is at hand, in every place that an error might quote."""
    whole = request(PATH, BODY, key=key)
    return [
        whole.replace(b"HTTP/1.1", b"HTTP/9.9"),
        whole.replace(b"\r\n", b"\n"),
        whole.replace(b"Host: gateway", b"Host: gateway\r\n Bearer " + key.encode()),
        whole.replace(b"Content-Length: ", b"Content-Length: -"),
        whole.replace(b"Content-Length: ", b"Content-Length: " + key.encode()),
        whole.replace(b"Host: gateway", b"Host: gateway\r\nTransfer-Encoding: " + key.encode()),
        whole.replace(b"Host: gateway", b"Host: gateway\r\nExpect: " + key.encode()),
        whole.replace(b"Host: gateway", b"Host: gateway\r\nUpgrade: " + key.encode()),
        whole.replace(b"Host: gateway", b"Host: gateway\r\n" + key.encode()),
        whole.replace(b"Host: gateway", b"Host: gateway\r\n" + key.encode() + b" : x"),
        whole.replace(b"Bearer ", b"Bearer \x00"),
        f"{key} / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode(),
        request(f"/{key}/v1/chat", key=key),
        request(f"/openai/{key}/../x", key=key),
        request(f"/openai/v1/responses?x={key}", BODY, key=KEY),
        request(f"/openai/v1/responses?key={key}%zz", BODY, key="x"),
        request(PATH, BODY, key=KEY, headers=(f"User-Agent: {key}",)),
        request(PATH, headers=("Transfer-Encoding: chunked",)).replace(b"Content-Length: 0\r\n", b"")
        + key.encode()
        + b"\r\n",
        request(PATH, key=key, headers=(f"X-Long: {key * 600}",)),
        request(f"/openai/{key * 200}", key=key),
    ]


def refused(key: str) -> list[bytes]:
    """Requests that are well formed and refused."""
    return [
        request("/nobody/v1", BODY, key=key),
        request("/openai/v1/files", BODY, key=key),
        request("/mistral/v1/chat/completions", BODY, key=key, method="PATCH"),
        request("/mistral/v1/chat/completions", BODY, key=key),
        request(PATH, BODY, key=key).replace(b"Content-Length: ", b"Content-Length: 9999999"),
    ]


def test_with_the_embedded_provider() -> None:
    """Good, forged, refused and malformed requests and a provider's errors, those that quote its key included."""
    with running(config="rate_limit_rps = 0\nbyo_rate_limit_rps = 0") as (stack, _):
        answers: list[bytes] = []
        for key in (KEY, FORGED, BYO_KEY, f"bai_v9.{FORGED[9:]}", f"x{KEY}"):
            answers += [stack.raw(data) for data in (*malformed(key), *refused(key))]
        for fault in FAULTS:
            body = chat(f"mock:{fault}", PROMPT, stream="event" in fault)
            answers += [stack.raw(request(path, body)) for path in PATHS]
        assert len(stack.rows(20)) >= 20
        stack.stop()
        written = stack.rows_path.read_bytes() + stack.log_path.read_bytes()
    ours = [answer for answer in answers if b"ratelimit" not in answer]
    assert len(ours) > 50
    assert leaks(b"".join(ours)) == []
    # A provider may say a prompt again, and quote to a caller the caller's own key.
    assert set(leaks(b"".join(answers))) <= {"prompt", "own key"}
    assert leaks(written) == []
    assert written.count(b'"refused"') > 50


def broken(peer: Peer, client: socket.socket, number: int) -> bytes:
    """One way in which a provider fails; what the client sees of it."""
    line = peer.accept()
    line.read_request()
    key = POOL_KEYS["openai"].encode()
    ways = [
        b"",
        b"\x00" + key + b"\r\n\r\n",
        b"HTTP/1.1 " + key + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + key + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + key + b"\r\n\r\n",
        JSON_HEAD + b"Content-Length: 1000\r\n\r\n{",
        SSE_HEAD + b"zz" + key,
        SSE_HEAD + b"5\r\nhello",
    ]
    line.send(ways[number])
    (line.reset if number % 2 else line.close)()
    return read_all(client)


def test_with_a_provider_that_breaks() -> None:
    """A provider that dies, talks nonsense around the key that it got, or is gone; and a client that resets."""
    with played(config="shutdown_grace_period_secs = 0.1") as (stack, peer):
        answers = b""
        for key in (KEY, BYO_KEY):
            for number in range(8):
                with stack.connect() as client:
                    client.sendall(request(PATH, BODY, key=key))
                    answers += broken(peer, client, number)
            with stack.connect() as client:
                client.sendall(request(PATH, BODY, key=key)[:-5])
                peer.accept().read_until(b"\r\n\r\n")
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with stack.connect() as client:
            client.sendall(request(PATH, BODY))
            peer.accept().read_request()
            peer.close()
            read_reply(client)
            answers += stack.raw(request(PATH, BODY))
        running_at_the_end = socket.create_connection(("127.0.0.1", stack.port))
        running_at_the_end.sendall(request("/openai/v1/chat/completions", BODY)[:-5])
        assert b"HTTP/1.1 502 " in answers
        stack.stop()
        running_at_the_end.close()
        written = stack.rows_path.read_bytes() + stack.log_path.read_bytes()
    assert leaks(answers) == []
    assert leaks(written) == []
    assert len(re.findall(rb'"ai\.usage"', written)) >= 10


def test_the_process_shows_none() -> None:
    """The arguments of the process, which everybody on the host may read, have no key."""
    with played() as (stack, _):
        assert leaks(Path(f"/proc/{stack.process.pid}/cmdline").read_bytes()) == []


def test_the_search_finds_what_it_looks_for() -> None:
    """Each secret is one that the search above would report."""
    assert sorted(leaks(b"".join(secret.encode() for secret in SECRETS.values()))) == sorted(SECRETS)
