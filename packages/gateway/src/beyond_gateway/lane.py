"""One provider as a worker uses it: its row, its idle connections, its pool keys and the head lines made from them."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from beyond_gateway.headers import AUTH_FIELDS
from beyond_gateway.pool import IdlePool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_gateway.guards.breaker import Breaker
    from beyond_gateway.providers import Provider
    from beyond_gateway.redact import Secret
    from beyond_gateway.upstream_protocol import UpstreamConnection


class PoolKey:
    """A real provider key, and the head lines of every managed request that goes out under it."""

    __slots__ = ("head_lines", "value")

    def __init__(self, secret: Secret, auth: str, host_line: bytes) -> None:
        self.value = secret.reveal().encode()
        self.head_lines = b"%b%b%b\r\naccept-encoding: identity\r\n" % (host_line, AUTH_FIELDS[auth], self.value)

    def __repr__(self) -> str:
        return "<PoolKey ***>"


class Lane:
    """A provider's row with what this worker holds for it; `index` is its place in the metrics."""

    __slots__ = ("_keys", "breaker", "idle", "index", "provider")

    def __init__(self, provider: Provider, keys: Sequence[Secret], breaker: Breaker, index: int = 0) -> None:
        self.provider = provider
        self.breaker = breaker
        self.index = index
        self.idle: IdlePool[UpstreamConnection] = IdlePool()
        host_line = b"host: %b\r\n" % provider.authority
        pool_keys = [PoolKey(key, provider.auth, host_line) for key in keys]
        self._keys = cycle(pool_keys) if pool_keys else None

    def next_key(self) -> PoolKey | None:
        """Return the pool key whose turn it is, or None where the provider has none."""
        return next(self._keys) if self._keys else None

    def retire(self) -> None:
        """Close the idle connections, and the busy ones as they come free: the provider is reached otherwise now."""
        for connection in self.idle.close():
            connection.close()

    def __repr__(self) -> str:
        return f"<Lane {self.provider.name} idle={len(self.idle)}>"
