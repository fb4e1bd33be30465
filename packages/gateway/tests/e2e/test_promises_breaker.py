"""A provider's breaker is the host's: what the workers saw of it together holds for each of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from peer import Peer, played
from stack import chat, request, wait_for

if TYPE_CHECKING:
    from stack import Stack

pytestmark = pytest.mark.e2e

THRESHOLD, CLIENTS = 8, 24
FAULT = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def _fail(peer: Peer, times: int) -> None:
    for _ in range(times):
        line = peer.accept()
        line.read_request()
        line.send(FAULT)


def _statuses(stack: Stack, count: int) -> list[int]:
    """What so many clients get, one after another, each on a connection of its own."""
    return [int(stack.raw(request(body=chat()))[9:12]) for _ in range(count)]


def test_what_all_workers_saw_holds_in_each() -> None:
    """Failures that came over several workers open one breaker, and behind it none of them reaches the provider."""
    with played(config=f"circuit_breaker_threshold = {THRESHOLD}\nworkers = 3") as (stack, peer):
        wait_for(lambda: stack.metric("ai_workers") == 3, "all workers")
        failing = threading.Thread(target=_fail, args=(peer, THRESHOLD))
        failing.start()
        assert _statuses(stack, THRESHOLD) == [500] * THRESHOLD
        failing.join()
        assert _statuses(stack, CLIENTS) == [503] * CLIENTS
        assert peer.nobody_comes()
        assert stack.metric("ai_rejections_total", reason="breaker_open") == CLIENTS
