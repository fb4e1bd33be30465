"""Who the gateway is to NATS: credentials are taken, refused, rotated, and never shown."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from deny_store import Lines, config, until, watching
from nats_identities import Operator
from nats_server import NatsServer, serving

from beyond_gateway.deny import backoff, bucket
from beyond_gateway.deny.nats_client import NatsFailed, connect
from beyond_gateway.deny.watch import DenyWatch
from beyond_gateway.errors import OperatorError
from beyond_gateway.redact import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

OPERATOR = Operator()
REFUSED = re.compile("(?i)authorization violation|refuse credentials")


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    """A server that takes nobody without credentials of this operator."""
    with serving(settings=OPERATOR.settings()) as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_S", 0.1)
    monkeypatch.setattr(backoff, "LONGEST_S", 0.1)


@pytest.mark.parametrize("as_file", [True, False])
def test_credentials_open_the_bucket(server: NatsServer, tmp_path: Path, *, as_file: bool) -> None:
    """As a file or as text, a user's JWT and seed are enough to write entries and to follow them."""
    path = tmp_path / "user.creds"
    path.write_text(OPERATOR.creds())
    more: dict[str, Any] = {"nats_creds_file": path} if as_file else {"nats_creds": Secret(OPERATOR.creds())}
    settings = config(server.url, f"creds-{as_file}", **more)

    async def scenario() -> None:
        await bucket.add(settings, "blackhole.7", b"spend", None)
        async with watching(settings) as at:
            await until(lambda: at.contents == ({7}, set()), "the entry")

    asyncio.run(scenario())


def test_without_credentials_the_reason_is_told(server: NatsServer) -> None:
    """A refused watch says so and goes on trying; a refused command says so and ends."""
    settings = config(server.url, "refused")

    async def scenario() -> None:
        async with watching(settings) as at:
            await until(lambda: len(at.log.fields("deny-set is not followed")) > 1, "the reports")
            assert all(REFUSED.search(line["reason"]) for line in at.log.fields("deny-set is not followed"))
        with pytest.raises(OperatorError, match=REFUSED):
            await bucket.add(settings, "blackhole.7", b"spend", None)

    asyncio.run(scenario())


def test_a_rotated_file_is_read_at_the_next_connection(server: NatsServer, tmp_path: Path) -> None:
    """Credentials that are not taken, or damaged, are read anew for each try: mending the file is enough."""
    path = tmp_path / "user.creds"
    path.write_text(Operator().creds("stranger").replace("A", "B", 1))
    path.write_text(OPERATOR.creds())
    settings = config(server.url, "rotated", nats_creds_file=path)

    async def scenario() -> None:
        await bucket.add(settings, "blackhole.7", b"spend", None)
        log: Any = Lines()
        watch = DenyWatch(settings, log, connected=lambda _: None)
        path.write_text("half a file")
        running = asyncio.ensure_future(watch.run())
        try:
            await until(lambda: log.fields("deny-set is not followed"), "the report")
            assert "no NATS USER JWT" in log.fields("deny-set is not followed")[0]["reason"]
            path.write_text(OPERATOR.creds())
            await until(lambda: watch.denied.spend == {7}, "the entry")
        finally:
            running.cancel()
            await asyncio.wait([running])

    asyncio.run(scenario())


def test_damaged_credentials_stop_the_start(tmp_path: Path) -> None:
    """What can never work is told before serving, in one line without a part of it."""
    path = tmp_path / "user.creds"
    log: Any = Lines()
    for settings in (
        config("nats://127.0.0.1:1", nats_creds=Secret("S3CR3T")),
        config("nats://127.0.0.1:1", nats_creds_file=path),
    ):
        with pytest.raises(OperatorError) as caught:
            DenyWatch(settings, log, connected=lambda _: None)
        assert "S3CR3T" not in str(caught.value)


def test_a_user_without_the_right_is_told_which(server: NatsServer) -> None:
    """A permission that is missing is named by its subject; nothing of the credentials is."""
    allowed = config(server.url, "rights", nats_creds=Secret(OPERATOR.creds()))
    creds = OPERATOR.creds("reader", denied=("$KV.>",))
    reader = config(server.url, "rights", nats_creds=Secret(creds))

    async def scenario() -> None:
        await bucket.add(allowed, "blackhole.7", b"spend", None)
        with pytest.raises(OperatorError, match=r"not permitted: .*kv\.rights\.blackhole\.8") as caught:
            await bucket.add(reader, "blackhole.8", b"spend", None)
        assert "\n" not in str(caught.value)
        assert [entry.tenant for entry in await bucket.entries(reader)] == [7]

    asyncio.run(scenario())


def test_a_tls_url_is_never_spoken_to_in_clear_text() -> None:
    """A server that offers no TLS is refused before it hears who we are."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        heard: list[bytes] = []

        def serve() -> None:
            connection = listener.accept()[0]
            with connection:
                connection.sendall(b'INFO {"server_id":"x","version":"2.11.0","max_payload":1048576}\r\n')
                heard.append(connection.recv(4096))

        server = threading.Thread(target=serve)
        server.start()
        url = f"tls://user:secret@127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(NatsFailed, match="offers no TLS"):
            asyncio.run(connect(config(url, "any")))
        server.join()
        assert heard == [b""]
