"""The word to the service manager: ready, reloading, stopping, still alive (sd_notify(3)).

A manager that is told nothing takes a started process for a ready one and sends requests into closed ports. The
protocol is one datagram of `NAME=value` lines to the socket that $NOTIFY_SOCKET names. It is written here because it is
smaller than any library for it. Nothing raises: a service must not fail because nobody listens to how it is.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Notifier:
    """Tells the manager at `address` how the service is; with an empty address does nothing. Never blocks or raises.

    `watchdog_s` is how many seconds may pass between two calls of `alive` before the manager restarts the service; None
    where it does not watch this process.
    """

    def __init__(self, address: str = "", watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        # A leading @ stands for the zero byte of an abstract name (unix(7)).
        self._address = "\0" + address[1:] if address.startswith("@") else address

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Notifier:
        """Return the notifier that NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID ask for; the silent one for none."""
        micros = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
        watched = ours and micros.isascii() and micros.isdigit() and int(micros) > 0
        return cls(environ.get("NOTIFY_SOCKET", ""), int(micros) / 1e6 if watched else None)

    def ready(self) -> None:
        """Say that it serves: after the start, and again when a reload is done."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that a reload began; `ready` says that it ended. The manager wants the monotonic clock with it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that it drains and will end."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Show one line of `text` in the manager's status; line ends in it become spaces, or they would be commands."""
        self._send(f"STATUS={' '.join(text.split())}")

    def alive(self) -> None:
        """Say that it is not stuck; due at least twice in `watchdog_s`."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            # A manager that does not read fills its queue; the word is lost then, the event loop is not.
            sender.settimeout(0)
            sender.sendto(message.encode(), self._address)
