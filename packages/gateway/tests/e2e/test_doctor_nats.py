"""What `beyond-ai doctor` finds out about NATS, before real servers."""

from __future__ import annotations

import asyncio
import base64
import binascii
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from nats_server import free_port, serving

from beyond_gateway.config import Config
from beyond_gateway.deny.nats_client import connect
from beyond_gateway.doctor.deny_store import deny_store
from beyond_gateway.redact import Secret

if TYPE_CHECKING:
    from pathlib import Path

    from beyond_gateway.doctor.report import Check

pytestmark = pytest.mark.e2e

LOGIN = 'authorization { user: someone, password: "S3CR3T" }'


def find(url: str, timeout_s: float = 10.0, **settings: object) -> list[Check]:
    config = msgspec.structs.replace(Config(nats_url=url), **settings)
    return asyncio.run(deny_store(config, timeout_s))


def statuses(found: list[Check]) -> list[tuple[str, str]]:
    return [(check.name, check.status) for check in found]


async def fill(url: str, bucket: str, entries: int) -> None:
    client = await connect(Config(nats_url=url))
    try:
        await client.api(f"STREAM.CREATE.KV_{bucket}", {"name": f"KV_{bucket}", "subjects": [f"$KV.{bucket}.>"]})
        for tenant in range(entries):
            await client.ask(f"$KV.{bucket}.blackhole.{tenant}", b"spend")
    finally:
        await client.end()


def test_without_a_url_there_is_nothing_to_reach() -> None:
    """No deny-set is a choice, not a failure."""
    (found,) = asyncio.run(deny_store(Config(), 1.0))
    assert (found.status, found.detail[:14]) == ("note", "not configured")


def test_a_bucket_is_found_and_counted() -> None:
    """Everything is there: the server's version, and the number of entries."""
    with serving() as server:
        asyncio.run(fill(server.url, "mine", 3))
        found = find(server.url, config_bucket="mine")
    assert statuses(found) == [("nats", "ok"), ("nats bucket", "ok")]
    assert found[0].detail.startswith(f"127.0.0.1:{server.port}: 2.")
    assert found[1].detail == "mine, about 3 entries"


def test_a_bucket_that_is_missing_fails() -> None:
    """A name misspelt would deny nobody and look well; it says what makes the bucket."""
    with serving() as server:
        found = find(server.url)
    assert statuses(found) == [("nats", "ok"), ("nats bucket", "fail")]
    assert found[1].detail == "there is no bucket ai-gateway: nobody is denied"
    assert "beyond-ai deny add" in (found[1].mend or "")


def test_jetstream_that_is_off_fails() -> None:
    """The server answers, and the store is not there."""
    with serving(jetstream=False) as server:
        found = find(server.url)
    assert statuses(found) == [("nats", "ok"), ("nats bucket", "fail")]
    assert "JetStream is not enabled" in found[1].detail
    assert "-js" in (found[1].mend or "")


def test_a_user_who_may_not_ask_fails() -> None:
    """JetStream is there, but not for this user: the subjects it needs are named."""
    rights = 'permissions: { publish: "other", subscribe: "_INBOX.>" }'
    settings = f"authorization {{ users: [ {{ user: u, password: p, {rights} }} ] }}"
    with serving(settings=settings) as server:
        found = find(f"nats://u:p@127.0.0.1:{server.port}", timeout_s=2.0)
    assert statuses(found) == [("nats", "ok"), ("nats bucket", "fail")]
    assert "not permitted" in found[1].detail
    assert "$JS.API.STREAM.INFO.KV_ai-gateway" in (found[1].mend or "")


def test_credentials_are_accepted_or_not() -> None:
    """Right, wrong, missing and made-up credentials; the text shows none of them."""
    seed = bytes([18 << 3 | 20 << 3 >> 5, (20 << 3 & 31) << 3]) + b"\7" * 32
    seed += binascii.crc_hqx(seed, 0).to_bytes(2, "little")
    blocks = {"NATS USER JWT": "S3CR3T.b.c", "USER NKEY SEED": base64.b32encode(seed).decode().rstrip("=")}
    made_up = "".join(f"-----BEGIN {name}-----\n{text}\n------END {name}------\n" for name, text in blocks.items())
    with serving(settings=LOGIN) as server:
        assert find(f"nats://someone:S3CR3T@127.0.0.1:{server.port}")[0].status == "ok"
        refused = [
            find(server.url),
            find(f"nats://someone:S3CR3T2@127.0.0.1:{server.port}"),
            find(server.url, nats_creds=Secret(made_up)),
        ]
    for found in refused:
        assert statuses(found) == [("nats", "fail")]
        assert found[0].detail.startswith(f"127.0.0.1:{server.port}: does not let us in; requests go on without it")
        assert "S3CR3T" not in repr(found)


def test_credentials_that_are_none(tmp_path: Path) -> None:
    """A file that is no .creds file fails before anything is sent, and its text is not shown."""
    path = tmp_path / "user.creds"
    path.write_text("S3CR3T")
    (found,) = find(f"nats://127.0.0.1:{free_port()}", nats_creds_file=path)
    assert (found.name, found.status) == ("nats", "fail")
    assert "user.creds: no NATS USER JWT in it" in found.detail
    assert "S3CR3T" not in repr(found)


def test_a_server_that_is_down_fails_and_says_what_that_means() -> None:
    """Refused: requests go on, nobody new is denied."""
    port = free_port()
    (found,) = find(f"nats://me:S3CR3T@127.0.0.1:{port}")
    assert found.detail == (
        f"127.0.0.1:{port}: connection refused; requests go on without it, but nobody new is denied"
    )
    assert found.mend == f"start it, let traffic to 127.0.0.1:{port} leave, or correct nats_url"


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    """Accepting a connection is no answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        (found,) = find(f"127.0.0.1:{port}", timeout_s=0.4)
    assert (found.status, found.detail.partition(";")[0]) == ("fail", f"127.0.0.1:{port}: no answer within 0.2 s")


def test_a_host_that_is_unknown() -> None:
    """The name is at fault, and said to be."""
    (found,) = find("nats://nosuch.invalid")
    assert (found.status, found.detail.partition(": ")[0]) == ("fail", "nosuch.invalid:4222")


def test_one_of_two_servers_is_enough() -> None:
    """The one that is down is a note; order does not matter."""
    with serving() as server:
        asyncio.run(fill(server.url, "ai-gateway", 1))
        up, down = server.url, f"nats://127.0.0.1:{free_port()}"
        assert statuses(find(f"{up}, {down}")) == [("nats", "ok"), ("nats", "note"), ("nats bucket", "ok")]
        assert statuses(find(f"{down},{up},")) == [("nats", "note"), ("nats", "ok"), ("nats bucket", "ok")]


@pytest.mark.parametrize("url", ["http://S3CR3T:1", "nats://", "nats://a:S3CR3T", "nats://[S3CR3T", " , "])
def test_a_url_that_is_none(url: str) -> None:
    """It is not repeated: what is misplaced in it may be a password."""
    (found,) = find(url)
    assert (found.status, found.detail) == ("fail", "nats_url is not a list of URLs")
    assert "S3CR3T" not in repr(found)


def test_nats_loads_only_where_it_is_configured(tmp_path: Path) -> None:
    """Without nats_url the client library is not imported."""
    script = (
        "import sys; from beyond_gateway.cli.doctor import doctor\n"
        "doctor(None, as_json=True, timeout_s=1, every=False)\n"
        "print(any(name.partition('.')[0] == 'nats' for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
