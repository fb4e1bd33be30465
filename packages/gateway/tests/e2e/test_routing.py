"""Which provider a request reaches, and with which target: each provider has an authority of its own here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from peer import Peer
from stack import BYO_KEY, KEY, POOL_KEYS, Stack, chat, request
from talk import served, target, values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e
ANTHROPIC_KEY = "sk-ant-of-their-own"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Peer]]:
    """A gateway for which Anthropic lives at `localhost` and all others at 127.0.0.1: Host tells who was meant."""
    folder: Path = tmp_path_factory.mktemp("routing")
    peer = Peer()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AI_PROVIDER_AUTHORITY_ANTHROPIC", f"localhost:{peer.port}")
            stack = Stack(folder, f"127.0.0.1:{peer.port}")
        try:
            yield stack, peer
        finally:
            peer.hang_up()
            stack.stop()
    finally:
        peer.close()


def reached(stack: Stack, peer: Peer, data: bytes) -> tuple[str, bytes]:
    """The provider that a request reached, and the head that came there."""
    head, _, _ = served(stack, peer, data)
    host = values(head, b"host")[0].partition(b":")[0]
    return {b"localhost": "anthropic", b"127.0.0.1": "openai"}[host], head


@pytest.mark.parametrize(
    "rest",
    [
        "/v1/responses",
        "/v1/models/org%2Fmodel%20x?a=%2f&b=%2F&a=+&c",
        "/v1/files/a:b@c!$&'()*+,;=~?q=//..//&x=%zz",
        "/v1/r/%E2%82%AC?",
        "/",
        "/v1/threads/messages",
    ],
)
@pytest.mark.parametrize("provider", ["openai", "groq", "anthropic"])
def test_the_rest_is_forwarded_verbatim(stack: Stack, peer: Peer, provider: str, rest: str) -> None:
    """The first segment names the provider and goes; path, query and their percent-encoding stay to the byte."""
    found, head = reached(stack, peer, request(f"/{provider}{rest}", chat(), key=BYO_KEY))
    assert target(head) == rest.encode()
    assert (found == "anthropic") == (provider == "anthropic")


@pytest.mark.parametrize(
    ("path", "provider"),
    [
        ("/v1/messages", "anthropic"),
        ("/v1/messages?beta=true", "anthropic"),
        ("/v1/messages/count_tokens", "anthropic"),
        ("/v1/chat/completions", "openai"),
        ("/v1/responses", "openai"),
        ("/v1/embeddings", "openai"),
    ],
)
def test_the_drop_in_default(stack: Stack, peer: Peer, path: str, provider: str) -> None:
    """On bare /v1 the path decides, stays as it is, and takes that provider's pool key with it."""
    found, head = reached(stack, peer, request(path, chat()))
    assert (found, target(head)) == (provider, path.encode())
    assert POOL_KEYS[provider].encode() in head
    assert len([key for key in POOL_KEYS.values() if key.encode() in head]) == 1


@pytest.mark.parametrize("path", ["/v1", "/v1/models", "/v1/chat/completions", "/v1/messages", "/v1/anything?x=1"])
@pytest.mark.parametrize(
    ("line", "anthropic"),
    [
        (f"Authorization: Bearer {ANTHROPIC_KEY}", True),
        (f"X-Api-Key: {ANTHROPIC_KEY}", True),
        (f"x-api-key: {BYO_KEY}", True),
        (f"api-key: {ANTHROPIC_KEY}", True),
        (f"Authorization: Bearer {BYO_KEY}", False),
        (f"api-key: {BYO_KEY}", False),
    ],
)
def test_an_anthropic_key_reaches_anthropic_only(
    stack: Stack, peer: Peer, path: str, line: str, *, anthropic: bool
) -> None:
    """On bare /v1 a caller's sk-ant- key, or one in x-api-key, goes to Anthropic whatever the path."""
    data = f"POST {path} HTTP/1.1\r\nHost: h\r\n{line}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    found, head = reached(stack, peer, data.encode())
    assert found == ("anthropic" if anthropic or path.startswith("/v1/messages") else "openai")
    assert target(head) == path.encode()
    assert line.encode() in head


@pytest.mark.parametrize(
    "path", ["/v1beta/models", "/v10/models", "/v2/models", "/v", "/v1x", "/V1/models", "/v1.0/models"]
)
@pytest.mark.parametrize("key", [KEY, BYO_KEY, ANTHROPIC_KEY])
def test_what_only_looks_like_v1(stack: Stack, peer: Peer, path: str, key: str) -> None:
    """Neighbours of /v1 are no drop-in paths: unknown provider, whatever the key."""
    answer = stack.raw(request(path, chat(), key=key))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"message":"unknown provider"' in answer
    assert peer.nobody_comes(0.01)


def test_messages_of_an_openai_provider_are_anthropic(stack: Stack, peer: Peer) -> None:
    """The forwarded path decides the dialect of the row, also on a provider of the other one."""
    body = b'{"type":"message","model":"m","usage":{"input_tokens":5,"output_tokens":2}}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    served(stack, peer, request("/groq/v1/messages", chat()), answer=answer % len(body) + body)
    row = stack.rows()[0]
    assert (row["provider"], row["usage_wire"], row["input_tokens"]) == ("groq", "anthropic", 5)
