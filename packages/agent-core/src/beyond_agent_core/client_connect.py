"""Opening a connection: straight, to a proxy, or through one, with the certificate of the server verified."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from typing import TYPE_CHECKING, Final

from beyond_agent_core.client_faults import failure
from beyond_agent_core.client_http1 import Connection
from beyond_agent_core.client_target import netloc
from beyond_agent_core.errors import RunFault
from beyond_agent_core.transport import TransportFailed

if TYPE_CHECKING:
    from beyond_agent_core.client_target import Origin, Proxy

NEXT_ADDRESS_S: Final = 0.25
"""Head start of a host's first address before the next is tried beside it (RFC 8305, section 8)."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})\b")


def verifying() -> ssl.SSLContext:
    """Return a TLS context that trusts what the system trusts, and that speaks HTTP/1.1."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def connect(origin: Origin, tls: ssl.SSLContext | None, seconds: float) -> Connection:
    """Return a new connection to `origin`, made within `seconds`, names, proxy and handshake included.

    Raises `TransportFailed` with `connect_failed`.
    """
    where = netloc(origin.host, origin.port)
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await _open(origin, tls)
    except TimeoutError:
        raise _failed(f"no connection to {where} within {seconds:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise _failed(f"certificate of {where} refused: {error.verify_message}") from error
    except (OSError, EOFError, asyncio.LimitOverrunError) as error:
        raise _failed(f"cannot connect to {where}: {_reason(error)}") from error
    return Connection(origin, tls, reader, writer)


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionError) and error.errno:
        # asyncio's own text of a refused connection names one address of the host.
        return os.strerror(error.errno)
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


async def _open(origin: Origin, tls: ssl.SSLContext | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    proxy = origin.proxy
    if proxy is None:
        return await _dial(origin.host, origin.port, tls if origin.tls else None)
    reader, writer = await _dial(proxy.host, proxy.port, None)
    if not origin.tls:
        return reader, writer
    try:
        await _ask_for_tunnel(origin, proxy, reader, writer)
        return await _encrypt(writer.transport, tls, origin.host)
    except BaseException:
        writer.transport.abort()
        raise


async def _dial(host: str, port: int, tls: ssl.SSLContext | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(host, port, ssl=tls, happy_eyeballs_delay=NEXT_ADDRESS_S)


async def _ask_for_tunnel(
    origin: Origin, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Have the proxy connect to the server; behind the head of its answer it only passes bytes on."""
    where = netloc(origin.host, origin.port)
    lines = [f"CONNECT {where} HTTP/1.1", f"host: {where}"]
    if proxy.authorization is not None:
        lines.append(f"proxy-authorization: {proxy.authorization}")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    head = await reader.readuntil(b"\r\n\r\n")
    status = _STATUS.match(head)
    if status is None or not status[1].startswith(b"2"):
        said = "no HTTP" if status is None else status[1].decode()
        raise _failed(f"proxy {netloc(proxy.host, proxy.port)} opens no tunnel to {where}: {said}")


async def _encrypt(
    transport: asyncio.WriteTransport, tls: ssl.SSLContext | None, host: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin TLS inside the tunnel. A new reader and protocol, because the old ones know themselves unencrypted."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    encrypted = await loop.start_tls(transport, protocol, tls or verifying(), server_hostname=host)
    if encrypted is None:
        raise ConnectionAbortedError
    protocol.connection_made(encrypted)
    return reader, asyncio.StreamWriter(encrypted, protocol, reader, loop)


def _failed(text: str) -> TransportFailed:
    return TransportFailed(RunFault(code="connect_failed", message=failure(text), transient=True))
