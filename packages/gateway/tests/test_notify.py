"""What a service manager hears."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import pytest

from beyond_gateway.host.notify import Notifier

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture
def manager() -> Generator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(0)
        yield receiver


@pytest.mark.parametrize(
    ("word", "text", "heard"),
    [
        ("ready", (), b"READY=1"),
        ("stopping", (), b"STOPPING=1"),
        ("alive", (), b"WATCHDOG=1"),
        ("status", ("3 workers",), b"STATUS=3 workers"),
        ("status", ("a\nREADY=1\r\nb",), b"STATUS=a READY=1 b"),
    ],
)
def test_each_word_is_one_datagram(
    manager: socket.socket, tmp_path: Path, word: str, text: tuple[str, ...], heard: bytes
) -> None:
    """The manager reads exactly the lines of the protocol; a status cannot smuggle one in."""
    manager.bind(str(tmp_path / "notify"))
    getattr(Notifier.from_environment({"NOTIFY_SOCKET": str(tmp_path / "notify")}), word)(*text)
    assert manager.recv(4096) == heard
    with pytest.raises(BlockingIOError):
        manager.recv(4096)


def test_a_reload_carries_the_monotonic_clock(manager: socket.socket, tmp_path: Path) -> None:
    """RELOADING=1 comes with the time at which it began, in microseconds of CLOCK_MONOTONIC."""
    manager.bind(str(tmp_path / "notify"))
    before = time.monotonic_ns() // 1000
    Notifier(str(tmp_path / "notify")).reloading()
    after = time.monotonic_ns() // 1000
    first, second = manager.recv(4096).decode().split("\n")
    assert first == "RELOADING=1"
    assert second.startswith("MONOTONIC_USEC=")
    assert before <= int(second.partition("=")[2]) <= after


def test_an_abstract_socket_is_reached(manager: socket.socket) -> None:
    """A name that begins with @ lies in the abstract namespace."""
    name = f"beyond-ai-test-{os.getpid()}"
    manager.bind(f"\0{name}")
    Notifier.from_environment({"NOTIFY_SOCKET": f"@{name}"}).ready()
    assert manager.recv(4096) == b"READY=1"


@pytest.mark.parametrize(
    "address", ["", "/nonexistent/notify", "/proc", "relative", "@nobody-is-here", "/" + "x" * 500]
)
def test_nobody_to_tell_is_no_failure(address: str) -> None:
    """Without a manager, or with one that is gone, every call returns."""
    notifier = Notifier(address)
    notifier.ready()
    notifier.reloading()
    notifier.status("x")
    notifier.alive()
    notifier.stopping()


def test_a_manager_that_does_not_read_does_not_stop_us(manager: socket.socket, tmp_path: Path) -> None:
    """When its queue is full further words are lost, and the call returns."""
    manager.bind(str(tmp_path / "notify"))
    notifier = Notifier(str(tmp_path / "notify"))
    for _ in range(5000):
        notifier.status("x" * 1000)
    assert manager.recv(4096).startswith(b"STATUS=x")


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_for_the_process_it_names(environ: dict[str, str], seconds: float | None) -> None:
    """WATCHDOG_USEC is microseconds, and counts only where WATCHDOG_PID is absent or ours."""
    assert Notifier.from_environment(environ).watchdog_s == seconds
