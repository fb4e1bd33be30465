"""The sockets of a host: bound once, before any worker exists, and kept by the parent for as long as it lives.

Each worker has a listening socket of its own on the one port (SO_REUSEPORT, socket(7)), so that the kernel spreads
connections over the workers. Since the parent holds them too, the queue of a worker that crashed is not reset: what
waits in it is accepted by its successor. The admin socket is one for all, because any worker can answer for the host.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_gateway.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_gateway.config import Address, Config

BACKLOG: Final = 4096
"""Connections that may wait to be accepted; the kernel lowers it to net.core.somaxconn."""


class Sockets(NamedTuple):
    """Listening sockets: one a worker for clients, one for probes and Prometheus."""

    clients: Sequence[socket.socket]
    admin: socket.socket

    def close(self) -> None:
        """Close them all."""
        for listener in (*self.clients, self.admin):
            listener.close()


def listen(config: Config, workers: int) -> Sockets:
    """Bind all sockets of a host. Raises OperatorError, with the key, for an address that cannot be had."""
    with contextlib.ExitStack() as opened:
        # A port shared by SO_REUSEPORT would be shared with another gateway too, by mistake: first see that it is free.
        first = _bound(config.listen, "listen", shared=False)
        if workers > 1:
            address = config.listen._replace(port=first.getsockname()[1])
            first.close()
            first = _bound(address, "listen", shared=True)
        opened.callback(first.close)
        clients = [first]
        address = config.listen._replace(port=first.getsockname()[1])
        for _ in range(workers - 1):
            clients.append(_bound(address, "listen", shared=True))
            opened.callback(clients[-1].close)
        admin = _bound(config.metrics_listen, "metrics_listen", shared=False)
        opened.pop_all()
        return Sockets(clients, admin)


def _bound(address: Address, key: str, *, shared: bool) -> socket.socket:
    listener: socket.socket | None = None
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        listener.bind(where)
        listener.listen(BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        reason = error.strerror or str(error)
        raise OperatorError(
            f"cannot listen on {address.host}:{address.port}: {reason}; choose another with {key} or AI_{key.upper()}",
            key=key,
        ) from None
    return listener


def address_of(listener: socket.socket) -> str:
    """Return where a socket listens, as host:port."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
