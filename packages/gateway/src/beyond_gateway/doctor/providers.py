"""Each provider, reached as the gateway reaches it: name, TCP, TLS with the same context, certificate.

The steps are taken one by one, where the gateway takes them in one call, so that a failure says which it was. No
request is sent: a pool key is never used to see whether a provider answers.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Any, Final

from beyond_gateway.doctor.bounded import in_thread
from beyond_gateway.doctor.reasons import reason
from beyond_gateway.doctor.report import Check, fail, note, ok, shown
from beyond_gateway.providers import build_table

if TYPE_CHECKING:
    from beyond_gateway.config import Config
    from beyond_gateway.providers import Provider

_DAY_S: Final = 86_400
_FEW_DAYS: Final = 14
"""Certificates are renewed a month (Let's Encrypt) or earlier before their end; with two weeks left somebody forgot."""

# Results of a verification (openssl-verification-options(1)): what the operator can do differs.
_NOT_NOW: Final = frozenset({9, 10})
_OTHER_NAME: Final = frozenset({62, 64})

_LOOKUP: Final = "name lookup"
_Where = tuple[Any, ...]


def chosen(config: Config, *, every: bool) -> list[Provider]:
    """Return the providers worth reaching: those with a pool key or a configured authority, or all of them."""
    wanted = {*config.pool_keys, *config.provider_authorities}
    return [row for row in build_table(config).values() if every or row.name in wanted]


async def provider(row: Provider, context: ssl.SSLContext | None, timeout_s: float, now: float) -> Check:
    """Return whether `row` is reached within `timeout_s`; `context` None is plain text, `now` Unix time in seconds."""
    name = f"provider {row.name}"
    place = shown(row.host, row.port)
    step = _LOOKUP
    try:
        async with asyncio.timeout(timeout_s):
            found = await in_thread(lambda: socket.getaddrinfo(row.host, row.port, type=socket.SOCK_STREAM))
            step = "TCP connect"
            line = await _connect([(family, address) for family, _, _, _, address in found])
            with line:
                reached = f"{place}: {line.getpeername()[0]}"
                if context is None:
                    return ok(name, f"{reached}, plain text")
                step = "TLS handshake"
                version, certificate = await _handshake(line, context, row.host)
    except TimeoutError:
        return fail(name, f"{place}: {step}: no answer within {timeout_s:g} s", _mend(step, row))
    except OSError as error:
        what, mend = _why(error, step, row)
        return fail(name, f"{place}: {what}" if step == _LOOKUP else f"{place}: {step}: {what}", mend)
    return _verdict(name, f"{reached}, {version}", certificate, now)


async def _connect(addresses: list[tuple[int, _Where]]) -> socket.socket:
    """Socket to the first address that takes a connection, in the resolver's order; else the last one's OSError."""
    loop = asyncio.get_running_loop()
    last = OSError("the name has no address")
    for family, where in addresses:
        line = socket.socket(family, socket.SOCK_STREAM)
        try:
            line.setblocking(False)  # noqa: FBT003 - the socket module's own form
            await loop.sock_connect(line, where)
        except OSError as error:
            line.close()
            last = error
        except BaseException:
            line.close()
            raise
        else:
            return line
    raise last


async def _handshake(line: socket.socket, context: ssl.SSLContext, host: str) -> tuple[str, dict[str, Any]]:
    """Protocol version and certificate, which is empty where it was not verified."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=line, ssl=context, server_hostname=host)
    session: ssl.SSLObject = transport.get_extra_info("ssl_object")
    try:
        return session.version() or "TLS", dict(session.getpeercert() or {})
    finally:
        transport.abort()


def _verdict(name: str, reached: str, certificate: dict[str, Any], now: float) -> Check:
    ends = certificate.get("notAfter")
    if not isinstance(ends, str):
        return note(name, f"{reached}, certificate not verified (upstream_verify_cert is off)")
    days = int((ssl.cert_time_to_seconds(ends) - now) // _DAY_S)
    detail = f"{reached}, certificate for {days} more days"
    return note(name, f"{detail}: who renews it?") if days < _FEW_DAYS else ok(name, detail)


def _why(error: OSError, step: str, row: Provider) -> tuple[str, str]:
    """What happened, in words without anything the far side sent, and how to mend it."""
    what, mend = reason(error), _mend(step, row)
    if isinstance(error, ssl.SSLCertVerificationError):
        mend = "give its authority in upstream_ca_file, or install the system's ca-certificates"
        if error.verify_code in _OTHER_NAME:
            what = f"the certificate is not for {row.host}"
            mend = f"name the host it is for in provider_authorities.{row.name}"
        elif error.verify_code in _NOT_NOW:
            mend = "renew the certificate, or set this host's clock"
    elif isinstance(error, ssl.SSLError):
        mend = f"check that {row.host} port {row.port} speaks TLS; see provider_authorities.{row.name}"
    return what, mend


def _mend(step: str, row: Provider) -> str:
    if step == _LOOKUP:
        return f"check this host's resolver (/etc/resolv.conf) and the name in provider_authorities.{row.name}"
    return f"check that traffic to {row.host} port {row.port} may leave, and provider_authorities.{row.name}"
