"""Opens connections to providers, for the exchanges of one worker."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ssl
from typing import TYPE_CHECKING, Final

from beyond_gateway import errors
from beyond_gateway.retry import CONNECT_ATTEMPTS
from beyond_gateway.upstream_protocol import UpstreamConnection

if TYPE_CHECKING:
    from beyond_gateway.config import Config
    from beyond_gateway.exchange import Exchange
    from beyond_gateway.gateway import Gateway
    from beyond_gateway.lane import Lane

_NO_DESCRIPTOR: Final = (errno.EMFILE, errno.ENFILE)


class Dialer:
    """Dials under one configuration's TLS settings. `plain_text` names providers that are spoken to without TLS."""

    def __init__(self, gateway: Gateway, config: Config, plain_text: frozenset[str]) -> None:
        self._gateway = gateway
        self._tls = tls_settings(config)
        self._context = client_context(config)
        self._plain_text = plain_text
        self.tasks: set[asyncio.Task[None]] = set()

    def use(self, config: Config) -> bool:
        """Dial by these TLS settings from now on; return whether they are as before. Raises OperatorError.

        What is as before is kept: reading all authorities takes 40 ms, for which every stream would wait.
        """
        settings = tls_settings(config)
        if settings == self._tls:
            return True
        self._context = client_context(config)
        self._tls = settings
        return False

    def dial(self, exchange: Exchange, lane: Lane) -> None:
        """Open a connection for `exchange`, which is told how it went if it still waits by then."""
        task = self._gateway.loop.create_task(self._dial(exchange, lane), name=f"dial {lane.provider.name}")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _dial(self, exchange: Exchange, lane: Lane) -> None:
        gateway, provider = self._gateway, lane.provider
        context = None if provider.name in self._plain_text else self._context
        fault = errors.UNREACHABLE
        for attempt in range(CONNECT_ATTEMPTS):
            if not exchange.waits:
                return
            if attempt:
                gateway.metrics.connect_retried(lane.index)
            try:
                async with asyncio.timeout(gateway.config.connect_timeout_secs):
                    _, upstream = await gateway.loop.create_connection(
                        lambda: UpstreamConnection(gateway, lane),
                        provider.host,
                        provider.port,
                        ssl=context,
                        server_hostname=provider.host if context else None,
                    )
            except Exception as error:  # noqa: BLE001 - whatever it is, a client waits to hear of it
                gateway.log.warning("provider cannot be reached", provider=provider.name, error=type(error).__name__)
                if isinstance(error, OSError) and error.errno in _NO_DESCRIPTOR:
                    fault = errors.NO_DESCRIPTOR
                continue
            if exchange.waits:
                exchange.attach(upstream)
            else:
                upstream.spare()
            return
        if exchange.waits:
            exchange.dial_failed(fault)


def tls_settings(config: Config) -> tuple[object, ...]:
    """Return all that a context is made from, to be compared: a CA file of another time or size is another file."""
    path = config.upstream_ca_file
    file: tuple[int, ...] = ()
    if path is not None:
        with contextlib.suppress(OSError):
            found = path.stat()
            file = (found.st_ino, found.st_mtime_ns, found.st_size)
    return (config.upstream_tls, config.upstream_verify_cert, path, file)


def client_context(config: Config) -> ssl.SSLContext | None:
    """Return how providers are spoken to over TLS, None where they are not. Raises OperatorError for a bad CA file."""
    if not config.upstream_tls:
        return None
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if config.upstream_ca_file is not None:
        try:
            context.load_verify_locations(cafile=config.upstream_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise errors.OperatorError(
                f"upstream_ca_file: cannot read certificates from {config.upstream_ca_file}: {error.strerror or error}",
                key="upstream_ca_file",
            ) from None
    if not config.upstream_verify_cert:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
