"""Whether the addresses that the gateway wants can be had; where one is taken, whether a gateway has it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import TYPE_CHECKING, Final

from beyond_gateway.doctor.bounded import in_thread
from beyond_gateway.doctor.reasons import reason
from beyond_gateway.doctor.report import Check, fail, note, ok, shown

if TYPE_CHECKING:
    from beyond_gateway.config import Address

_PROBE: Final = b"GET /readyz HTTP/1.1\r\nHost: doctor\r\nConnection: close\r\n\r\n"
"""Answered by both ports: the admin one with its state, the other with 404 and a request id (gw contract, order)."""
_ANSWER_BYTES: Final = 16_384
_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_WILDCARD: Final = frozenset(_LOOPBACK)


async def listener(key: str, address: Address, timeout_s: float) -> Check:
    """Return whether `address`, set by `key`, can be bound; the socket is closed again and never accepts.

    A gateway that listens there already is a note, anything else that does is a failure. Bounded by `timeout_s`.
    """
    place = shown(*address)
    try:
        async with asyncio.timeout(timeout_s):
            await in_thread(lambda: _bind(address))
    except TimeoutError:
        return fail(key, f"{place}: the name does not resolve within {timeout_s:g} s", f"give an address in {key}")
    except socket.gaierror:
        return fail(key, f"{place}: the name does not resolve", f"give an address of this host in {key}")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return await _taken(key, address, timeout_s)
        return fail(key, f"{place} cannot be bound: {reason(error)}", _mend(key, error.errno))
    return ok(key, f"{place} is free" if address.port else f"{place}: a free port will be chosen")


def clash(first: Address, second: Address) -> list[Check]:
    """Return a failure where listen and metrics_listen want the same port of the same address."""
    hosts = {first.host, second.host}
    if first.port != second.port or not first.port or (len(hosts) > 1 and not hosts & _WILDCARD):
        return []
    return [fail("metrics_listen", f"{shown(*second)} is the port of listen", "give it another port, such as 9090")]


def _bind(address: Address) -> None:
    family, kind, protocol, _, where = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as trial:
        # As the gateway binds: connections of a predecessor that still wait to be forgotten are no obstacle.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind(where)


def _mend(key: str, number: int | None) -> str:
    if number in {errno.EACCES, errno.EPERM}:
        return f"choose a port above 1023 in {key}, or give the gateway CAP_NET_BIND_SERVICE"
    if number == errno.EADDRNOTAVAIL:
        return f"this host has no such address: choose one that it has, or 0.0.0.0, in {key}"
    return f"choose another address in {key} or AI_{key.upper()}"


async def _taken(key: str, address: Address, timeout_s: float) -> Check:
    place = shown(*address)
    answer = b""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(timeout_s):
            answer = await _ask(_LOOPBACK.get(address.host, address.host), address.port)
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"\r\nx-beyond-request-id:" in head.lower() or (b'"status"' in body and b'"version"' in body):
        return note(key, f"{place}: a gateway listens there already; a second one needs another address")
    mend = f"stop what listens there (ss -ltnp 'sport = :{address.port}' names it) or choose another address in {key}"
    return fail(key, f"{place} is taken, and not by a gateway", mend)


async def _ask(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(_PROBE)
        answer = b""
        while len(answer) < _ANSWER_BYTES and (part := await reader.read(_ANSWER_BYTES)):
            answer += part
        return answer
    finally:
        writer.transport.abort()
