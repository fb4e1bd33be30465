"""The deny-set as tenants and operators meet it: real gateways, a real NATS server, the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from nats_server import serving
from stack import KEY, SEED, WAIT_S, Stack, chat, read_answer, request, running, wait_for

from beyond_gateway.managed_key import mint

if TYPE_CHECKING:
    from collections.abc import Generator

    from nats_server import NatsServer

pytestmark = pytest.mark.e2e

ENFORCED_S = 1.0
ONE_KEY = mint(SEED, 1, 1, 1, 9)


def command(nats: NatsServer, *words: str, status: int = 0) -> str:
    """What `beyond-ai deny` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "beyond_gateway", "deny", *words],
        env={**os.environ, "AI_NATS_URL": nats.url},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout


@contextmanager
def gateway(nats: NatsServer, *, workers: int = 1, snapshot: str = "") -> Generator[Stack]:
    """A gateway that watches `nats`; given once it does."""
    more = f'snapshot_path = "{snapshot}"\n' if snapshot else ""
    with running(config=f'workers = {workers}\nnats_url = "{nats.url}"\n{more}') as (stack, _):
        yield stack


def connected(stack: Stack, workers: int = 1) -> None:
    wait_for(lambda: stack.metric("ai_workers") == workers and stack.metric("ai_nats_connected") == 1, "the watch")


def status(stack: Stack, key: str = KEY) -> int:
    return int(stack.raw(request(body=chat(), key=key))[9:12])


def enforced(stack: Stack, wanted: int, key: str = KEY, lines: int = 1) -> None:
    """Within a second of now, every one of `lines` connections gets `wanted`."""
    with ExitStack() as opened:
        connections = [opened.enter_context(stack.connect()) for _ in range(lines)]
        began = time.monotonic()
        for connection in connections:
            while True:
                connection.sendall(request(body=chat(), key=key, close=False))
                if read_answer(connection).startswith(b"HTTP/1.1 %d " % wanted):
                    break
                assert time.monotonic() - began < ENFORCED_S, f"not {wanted} within {ENFORCED_S} s"
                time.sleep(0.005)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_denied_tenant_is_refused_in_every_worker_and_let_in_again(workers: int) -> None:
    """402 for spend, 403 for fraud, 200 after the removal; each within a second, through whichever worker."""
    with serving() as nats, gateway(nats, workers=workers) as stack:
        connected(stack, workers)
        assert status(stack) == 200
        command(nats, "add", "1")
        enforced(stack, 402, lines=12)
        assert b"tenant is over limit or suspended" in stack.raw(request(body=chat()))
        command(nats, "add", "1", "--reason", "fraud")
        enforced(stack, 403, lines=12)
        command(nats, "remove", "1")
        enforced(stack, 200, lines=12)
        rejected = [stack.metric("ai_rejections_total", reason=f"denied_{kind}") for kind in ("spend", "fraud")]
        assert all(count >= 12 for count in rejected)
        assert all(row["outcome"] == "ok" for row in stack.rows())


def test_one_key_of_a_tenant_can_be_denied_alone() -> None:
    """The key with that id is refused, other keys of the tenant are not."""
    with serving() as nats, gateway(nats) as stack:
        connected(stack)
        command(nats, "add", "--key-id", "9", "--reason", "leaked")
        enforced(stack, 403, key=ONE_KEY)
        assert status(stack, KEY) == 200


def test_an_entry_with_a_lifetime_ends_by_itself() -> None:
    """After its time the tenant is let in again, though nobody removed the entry."""
    with serving() as nats, gateway(nats) as stack:
        connected(stack)
        command(nats, "add", "1", "--ttl", "2s")
        enforced(stack, 402)
        wait_for(lambda: status(stack) == 200, "access after two seconds", 8)


def test_auth_never_needs_nats() -> None:
    """A server that is killed changes nothing for anybody; what was denied stays so; a new denial comes with it."""
    with serving() as nats, gateway(nats) as stack:
        connected(stack)
        command(nats, "add", "1")
        enforced(stack, 402)
        nats.kill()
        wait_for(lambda: stack.metric("ai_nats_connected") == 0, "the loss")
        other = mint(SEED, 1, 2, 1)
        assert [status(stack), status(stack, other)] == [402, 200]
        nats.start()
        connected(stack)
        assert status(stack) == 402
        command(nats, "add", "2")
        enforced(stack, 402, key=other)


def test_a_gateway_starts_without_nats_and_finds_it_later() -> None:
    """With NATS away at the start nobody is denied and everybody is served; entries hold as soon as it is there."""
    with serving() as nats:
        command(nats, "add", "1")
        nats.kill()
        with gateway(nats) as stack:
            assert status(stack) == 200
            nats.start()
            connected(stack)
            enforced(stack, 402)


def test_a_snapshot_denies_before_nats_answers() -> None:
    """After a restart without NATS the set of before is in force; a corrupt file is a warning and a fresh scan."""
    with tempfile.TemporaryDirectory() as folder, serving() as nats:
        path = Path(folder, "deny-set")
        command(nats, "add", "1")
        with gateway(nats, snapshot=str(path)) as stack:
            connected(stack)
            enforced(stack, 402)
        assert path.stat().st_mode & 0o777 == 0o600
        nats.kill()
        with gateway(nats, snapshot=str(path)) as stack:
            assert status(stack) == 402
        path.write_bytes(path.read_bytes()[:-3])
        with gateway(nats, snapshot=str(path)) as stack:
            assert status(stack) == 200
            assert any("snapshot" in line["fields"]["message"] for line in stack.log())
            nats.start()
            connected(stack)
            enforced(stack, 402)


def test_the_deny_set_stands_behind_the_signature_and_before_the_endpoint() -> None:
    """A forged key of a denied tenant is 401, its good key for an endpoint that is not listed is 402."""
    with serving() as nats, gateway(nats) as stack:
        connected(stack)
        command(nats, "add", "1")
        enforced(stack, 402)
        assert stack.raw(request(key=KEY[:-2] + "AA")).startswith(b"HTTP/1.1 401 ")
        assert stack.raw(request("/openai/v1/files")).startswith(b"HTTP/1.1 402 ")
        assert stack.raw(request("/mistral/v1/chat/completions")).startswith(b"HTTP/1.1 402 ")
