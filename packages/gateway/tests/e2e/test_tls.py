"""TLS to the provider: verified against the configured authority and the provider's own name, or nothing is sent."""

from __future__ import annotations

import contextlib
import ssl
import threading
from typing import TYPE_CHECKING

import openai
import pytest
import trustme
from peer import USAGE, Line, Peer
from stack import KEY, POOL_KEYS, Provider, Stack, chat, request
from talk import read_reply, values

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

pytestmark = pytest.mark.e2e
PATH = "/openai/v1/responses"


class TlsPeer(Peer):
    """A peer that speaks TLS with a certificate of its own authority; `names` are the server names it was asked for."""

    def __init__(self, folder: Path, name: str = "localhost") -> None:
        super().__init__()
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(name).configure_cert(self.context)  # pyright: ignore[reportUnknownMemberType] an optional package
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        self.names: list[str | None] = []
        self.context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self.failed: list[type[Exception]] = []
        self.received: list[bytes] = []

    def accept_tls(self) -> Line:
        """One connection, its handshake done."""
        connection, _ = self.listener.accept()
        line = Line(self.context.wrap_socket(connection, server_side=True))
        self.lines.append(line)
        return line

    def accept_failures(self) -> threading.Thread:
        """Accept connections from a thread until the listener closes, and note what comes of each."""

        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = self.listener.accept()
                    try:
                        with self.context.wrap_socket(connection, server_side=True) as line:
                            self.received.append(line.recv(65536))
                    except (ssl.SSLError, ConnectionError) as error:
                        self.failed.append(type(error))
                    finally:
                        connection.close()

        thread = threading.Thread(target=run, name="tls peer")
        thread.start()
        return thread


@contextlib.contextmanager
def behind_tls(
    folder: Path, config: str, name: str = "localhost", host: str = "localhost"
) -> Generator[tuple[Stack, TlsPeer]]:
    """Give a gateway before a TLS peer whose certificate is for `name` and whose configured host is `host`."""
    peer = TlsPeer(folder, name)
    try:
        stack = Stack(folder, f"{host}:{peer.port}", config=config.format(ca=peer.ca_file), tls=True)
        try:
            yield stack, peer
        finally:
            peer.hang_up()
            stack.stop()
    finally:
        peer.close()


def test_verified_with_its_own_authority(tmp_path: Path) -> None:
    """Server name and Host are the provider's, HTTP/1.1 is agreed on, and the connection is used again."""
    with behind_tls(tmp_path, 'upstream_ca_file = "{ca}"') as (stack, peer), stack.connect() as client:
        client.sendall(request(PATH, chat(), close=False))
        line = peer.accept_tls()
        head, body = line.read_request()
        assert peer.names == ["localhost"]
        assert isinstance(line.socket, ssl.SSLSocket)
        assert line.socket.selected_alpn_protocol() == "http/1.1"
        assert line.socket.version() in ("TLSv1.2", "TLSv1.3")
        assert values(head, b"host") == [b"localhost:%d" % peer.port]
        assert values(head, b"authorization") == [b"Bearer " + POOL_KEYS["openai"].encode()]
        assert body == chat()
        line.answer()
        assert read_reply(client).endswith(USAGE)
        client.sendall(request(PATH, chat()))
        line.read_request()
        line.answer()
        assert read_reply(client).endswith(USAGE)
        assert [row["outcome"] for row in stack.rows(2)] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("config", "name", "host"),
    [
        ("", "localhost", "localhost"),
        ('upstream_ca_file = "{ca}"', "other.example", "localhost"),
        ('upstream_ca_file = "{ca}"', "localhost", "127.0.0.1"),
    ],
    ids=["an unknown authority", "another name", "an address that is not in it"],
)
def test_not_verified_is_not_spoken_to(tmp_path: Path, config: str, name: str, host: str) -> None:
    """A certificate that does not verify: 502, one row, and not a byte of the request goes out."""
    with behind_tls(tmp_path, config, name, host) as (stack, peer):
        thread = peer.accept_failures()
        answer = stack.raw(request(PATH, chat()))
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b'"message":"no provider could be reached"' in answer
        row = stack.rows()[0]
        assert (row["outcome"], "upstream_status" in row) == ("upstream_error", False)
        peer.listener.shutdown(2)
        thread.join(10)
        assert not thread.is_alive()
        assert b"".join(peer.received) == b""
        assert len(peer.failed) + len(peer.received) == 3


def test_verification_can_be_turned_off(tmp_path: Path) -> None:
    """With upstream_verify_cert off an unknown authority and another name serve, and the log says so at start."""
    with behind_tls(tmp_path, "upstream_verify_cert = false", "other.example") as (stack, peer):
        with stack.connect() as client:
            client.sendall(request(PATH, chat()))
            line = peer.accept_tls()
            line.read_request()
            line.answer()
            assert read_reply(client).endswith(USAGE)
        assert any("upstream_verify_cert is off" in line["fields"]["message"] for line in stack.log())


@pytest.mark.parametrize("end", ["close", "unwrap"])
def test_a_cut_in_tls(tmp_path: Path, end: str) -> None:
    """An answer cut by the end of the TLS connection, with or without its closing alert, has no clean end."""
    with behind_tls(tmp_path, 'upstream_ca_file = "{ca}"') as (stack, peer), stack.connect() as client:
        client.sendall(request(PATH, chat()))
        line = peer.accept_tls()
        line.read_request()
        line.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        line.chunk(b"data: {}\n\n")
        seen = b""
        while b"data: {}" not in seen:
            seen += client.recv(65536)
        if end == "unwrap":
            assert isinstance(line.socket, ssl.SSLSocket)
            with contextlib.suppress(OSError):
                line.socket.unwrap()
        line.close()
        rest = b""
        with contextlib.suppress(ConnectionResetError):
            while part := client.recv(65536):
                rest += part
        assert b"0\r\n\r\n" not in rest
        assert stack.rows()[0]["outcome"] == "cut_short"


def test_a_stock_sdk_to_an_embedded_provider(tmp_path: Path) -> None:
    """The SDK's stream is whole with TLS behind the gateway."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    for part in certificate.cert_chain_pems:
        part.write_to_path(str(tmp_path / "cert.pem"), append=True)
    provider = Provider("--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem"))
    try:
        config = f'upstream_ca_file = "{tmp_path / "ca.pem"}"'
        stack = Stack(tmp_path, f"localhost:{provider.port}", config=config, tls=True)
        try:
            with openai.OpenAI(base_url=f"{stack.url}/openai/v1", api_key=KEY, max_retries=0) as client:
                for _ in range(3):
                    events = client.chat.completions.create(
                        model="mock:events=50", messages=[{"role": "user", "content": "hello"}], stream=True
                    )
                    assert sum(bool(event.choices[0].delta.content) for event in events) == 50
            assert [row["outcome"] for row in stack.rows(3)] == ["ok"] * 3
        finally:
            stack.stop()
    finally:
        provider.stop()
