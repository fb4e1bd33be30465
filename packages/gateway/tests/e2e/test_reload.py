"""SIGHUP: new keys, providers and limits for what comes, while what runs goes on undisturbed."""

from __future__ import annotations

import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from peer import Peer, played
from stack import KEY, POOL_KEYS, PUBLIC_KEY, WAIT_S, Stack, chat, read_all, request, running, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

BOTH = pytest.mark.parametrize("workers", [1, 2])


def _ready(stack: Stack, workers: int) -> None:
    wait_for(lambda: stack.metric("ai_workers") == workers, "all workers")


@BOTH
def test_a_new_pool_key_is_used_from_the_next_request_on(workers: int) -> None:
    """A stream that runs ends whole under the old key; what is asked next goes out under the new one."""
    with running(config=f"workers = {workers}") as (stack, provider):
        _ready(stack, workers)
        with stack.connect() as line:
            line.sendall(request(body=chat("mock:events=8,gap=0.1", stream=True)))
            assert b" 200 " in line.recv(15)
            stack.reload(POOL_KEYS["openai"], "sk-rotated")
            assert read_all(line).endswith(b"0\r\n\r\n")
        provider.forget()
        for _ in range(4):
            assert b" 200 " in stack.raw(request(body=chat()))
        seen = {dict(one["headers"])["authorization"] for one in provider.requests()}
        assert seen == {"Bearer sk-rotated"}
        assert [row["outcome"] for row in stack.rows(5)] == ["ok"] * 5


@BOTH
def test_a_signing_key_that_is_taken_away_ends_its_managed_keys(workers: int) -> None:
    """Keys that were verified and remembered are refused after their kid is gone, and good again when it is back."""
    with running(config=f"workers = {workers}") as (stack, _):
        _ready(stack, workers)
        entry = f'1 = "{PUBLIC_KEY}"'
        for _ in range(4):
            assert b" 200 " in stack.raw(request(body=chat()))
        stack.reload(entry, f'2 = "{PUBLIC_KEY}"')
        for _ in range(4):
            assert b"invalid API key" in stack.raw(request(body=chat()))
        stack.reload(f'2 = "{PUBLIC_KEY}"', entry)
        assert b" 200 " in stack.raw(request(body=chat()))


def test_an_added_provider_is_there_and_a_moved_one_is_reached_anew() -> None:
    """New names answer at once; connections to the old place of a provider are closed, not reused."""
    with running() as (stack, provider):
        assert b"unknown provider" in stack.raw(request("/local/v1/chat/completions", chat()))
        assert b" 200 " in stack.raw(request(body=chat()))
        moved = Peer()
        place = f"127.0.0.1:{provider.port}"
        stack.reload(f'openai = "{place}"', f'openai = "127.0.0.1:{moved.port}"\nlocal = "{place}"')
        stack.reload("[pool_keys]", '[pool_keys]\nlocal = "sk-local"')
        assert b" 200 " in stack.raw(request("/local/v1/chat/completions", chat()))
        with stack.connect() as line:
            line.sendall(request(body=chat()))
            accepted = moved.accept()
            accepted.read_request()
            accepted.answer()
            assert b" 200 " in read_all(line)
        wait_for(lambda: stack.metric("ai_connections", side="provider") <= 2, "the end of the old connections")
        moved.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_added_provider_is_counted_under_its_name(workers: int) -> None:
    """A provider that a reload brings has series and a breaker of its own, with one worker as with several."""
    with running(config=f"workers = {workers}") as (stack, provider):
        stack.reload("[pool_keys]", f'local = "127.0.0.1:{provider.port}"\n[pool_keys]\nlocal = "sk-local"')
        assert b" 200 " in stack.raw(request("/local/v1/chat/completions", chat()))
        assert stack.metric("ai_upstream_responses_total", provider="local", status="2xx") == 1
        assert stack.metric("ai_upstream_responses_total", provider="other", status="2xx") == 0


def test_limits_change_with_a_reload() -> None:
    """A ceiling that is set is held from then on, and one that is taken away is gone."""
    with running() as (stack, _):
        for _ in range(5):
            assert b" 200 " in stack.raw(request("/openai/v1/models", method="GET"))
        stack.reload("rate_limit_rps = 0", "rate_limit_rps = 1")
        answers = [stack.raw(request("/openai/v1/models", method="GET")) for _ in range(8)]
        assert any(answer.startswith(b"HTTP/1.1 429 ") for answer in answers)
        stack.reload("rate_limit_rps = 1", "rate_limit_rps = 0")
        answers = [stack.raw(request("/openai/v1/models", method="GET")) for _ in range(8)]
        assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)


@BOTH
def test_settings_that_cannot_be_used_change_nothing(workers: int) -> None:
    """A mistake in the file is told with its line; everything goes on as it was."""
    with running(config=f"workers = {workers}") as (stack, _):
        _ready(stack, workers)
        stack.reload("[pool_keys]", "[poool_keys]")
        told = stack.said("reload refused; the settings stay as they were")
        assert "config.toml:" in told[0]["error"]
        assert "poool_keys" in told[0]["error"]
        assert b" 200 " in stack.raw(request(body=chat()))


def test_what_needs_a_restart_is_named_and_left() -> None:
    """A socket's address in a reloaded file is no error: it is told that it waits, and the rest is taken."""
    with running() as (stack, _):
        stack.reload('metrics_listen = "127.0.0.1:0"', 'metrics_listen = "127.0.0.1:1"')
        assert [line["key"] for line in stack.said("a changed setting waits for a restart")] == ["metrics_listen"]
        assert stack.page("/livez")[0] == 200


@BOTH
def test_reloads_in_a_row_under_load_lose_nothing(workers: int) -> None:
    """Twenty reloads while clients ask without pause: every request is answered, every row is there."""
    with running(config=f"workers = {workers}") as (stack, _):
        _ready(stack, workers)
        stop, answers = threading.Event(), list[bytes]()

        def client() -> None:
            while not stop.is_set():
                answers.append(stack.raw(request(body=chat(stream=len(answers) % 2 == 0)))[:15])

        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            stack.process.send_signal(signal.SIGHUP)
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()
        assert len(answers) > 20
        assert set(answers) == {b"HTTP/1.1 200 OK"}
        assert len(stack.rows(len(answers))) == len(answers)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager's socket, bound to `notify` in the test's folder."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(f"{tmp_path}/notify")
        bound.settimeout(20)
        yield bound


@BOTH
def test_a_service_manager_hears_of_start_reload_and_end(manager: socket.socket, workers: int) -> None:
    """READY=1 when it serves, RELOADING=1 and READY=1 around a reload, STOPPING=1 at the end."""
    with running(config=f"workers = {workers}", environ=_told(manager)) as (stack, _):
        assert manager.recv(4096) == b"READY=1"
        assert b" 200 " in stack.raw(request(body=chat()))
        stack.reload("rate_limit_rps = 0", "rate_limit_rps = 1000")
        assert manager.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert manager.recv(4096) == b"READY=1"
        assert stack.stop() == 0
        assert manager.recv(4096) == b"STOPPING=1"


@BOTH
def test_a_service_manager_hears_no_more_of_reloads_behind_the_end(manager: socket.socket, workers: int) -> None:
    """SIGHUP to a gateway that drains changes nothing, and does not call it ready again."""
    with played(config=f"workers = {workers}", environ=_told(manager)) as (stack, peer):
        with stack.connect() as client:
            client.sendall(request(body=chat()))
            line = peer.accept()
            line.read_request()
            assert manager.recv(4096) == b"READY=1"
            stack.process.terminate()
            assert manager.recv(4096) == b"STOPPING=1"
            wait_for(lambda: stack.said("draining"), "draining")
            stack.process.send_signal(signal.SIGHUP)
            manager.settimeout(0.5)
            with pytest.raises(TimeoutError):
                manager.recv(4096)
            line.answer()
            assert b" 200 " in read_all(client)
        assert stack.process.wait(WAIT_S) == 0
        assert not stack.said("settings reloaded")


@BOTH
def test_a_service_manager_hears_that_it_lives(manager: socket.socket, workers: int) -> None:
    """Where it watches, WATCHDOG=1 comes more often than it asks, with one process and with several."""
    environ = {**_told(manager), "WATCHDOG_USEC": "900000"}
    with running(config=f"workers = {workers}", environ=environ):
        seen = [manager.recv(4096) for _ in range(4)]
    assert seen.count(b"WATCHDOG=1") >= 3


def _told(manager: socket.socket) -> dict[str, str]:
    return {"NOTIFY_SOCKET": manager.getsockname()}


def test_an_open_breaker_stays_open_over_a_reload() -> None:
    """What is known of a provider's health is not forgotten with the settings."""
    config = "circuit_breaker_threshold = 3\nworkers = 1"
    with played(config=config) as (stack, peer):
        for _ in range(3):
            with stack.connect() as line:
                line.sendall(request(body=chat(), key=KEY))
                accepted = peer.accept()
                accepted.read_request()
                accepted.send(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                read_all(line)
        assert b"provider temporarily unavailable" in stack.raw(request(body=chat()))
        stack.reload("rate_limit_rps = 0", "rate_limit_rps = 1000")
        answer = stack.raw(request(body=chat()))
        assert b"provider temporarily unavailable" in answer
        assert b"retry-after: " in answer.lower()
        assert stack.metric("ai_breaker_open", provider="openai") == 1
