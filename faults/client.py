"""A client of bytes: sends what a scenario wants sent, reads answers strictly, and can leave in any way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, cast

from beyond_gateway.managed_key import mint

if TYPE_CHECKING:
    from collections.abc import Mapping

SEED = b"\x07" * 32
PUBLIC_KEY = "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="
BYO_KEY = "sk-byo-0123456789"
BACKGROUND, FAULTY = 1, 2
"""Tenants: legitimate traffic runs as one, a scenario's own clients as the other, so that rows are told apart."""
ANSWER_S = 15.0
"""Seconds for one whole answer; more is as bad as none."""


def managed_key(tenant: int, key_id: int | None = None) -> str:
    """Return a managed key of a tenant."""
    return mint(SEED, 1, tenant, 1, key_id)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client saw of one response. `whole`: it ended as its framing says; status 0: not even a head came."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool

    @property
    def request_id(self) -> str:
        """The gateway's id of the request."""
        return self.headers.get("x-beyond-request-id", "")


NOTHING = Answer(0, {}, b"", whole=False)


def request(
    path: str, body: bytes = b"", *, key: str, method: str = "POST", headers: tuple[str, ...] = (), length: int = -1
) -> bytes:
    """Return a request's bytes; `length` declares another length than the body's."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", f"Authorization: Bearer {key}", *headers]
    if method == "POST":
        lines.append(f"Content-Length: {len(body) if length < 0 else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chat(model: str, text: str = "hello there", **more: object) -> bytes:
    """Return the body of a Chat Completions request."""
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}], **more}).encode()


def responses(model: str, text: str = "hello there", **more: object) -> bytes:
    """Return the body of a Responses request."""
    return json.dumps({"model": model, "input": text, **more}).encode()


class Client:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, source: str = "127.0.0.1", seconds: float = 5.0) -> Self:
        """Connect from a loopback address. OSError or TimeoutError where nobody accepts."""
        async with asyncio.timeout(seconds):
            return cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0)))

    def take_little(self) -> None:
        """Take no more than the kernel's least, so that what nobody reads waits at the sender."""
        cast("asyncio.ReadTransport", self.writer.transport).pause_reading()
        raw = cast("socket.socket | None", self.writer.get_extra_info("socket"))
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)

    def send(self, data: bytes) -> None:
        """Send bytes; what the kernel does not take waits here."""
        self.writer.write(data)

    async def answer(self, seconds: float = ANSWER_S) -> Answer:
        """Return the next response as far as it came, within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                return await self._answer()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            return NOTHING

    async def _answer(self) -> Answer:
        status, headers = 100, dict[str, str]()
        while status < 200:
            status, headers = parse_head(await self.reader.readuntil(b"\r\n\r\n"))
        parts: list[bytes] = []
        whole = True
        try:
            await self._body(headers, parts)
        except (OSError, asyncio.IncompleteReadError, ValueError) as fault:
            parts.append(fault.partial if isinstance(fault, asyncio.IncompleteReadError) else b"")
            whole = False
        return Answer(status, headers, b"".join(parts), whole)

    async def _body(self, headers: Mapping[str, str], parts: list[bytes]) -> None:
        if headers.get("transfer-encoding") == "chunked":
            while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                parts.append((await self.reader.readexactly(size + 2))[:-2])
            await self.reader.readuntil(b"\r\n")
        elif "content-length" in headers:
            parts.append(await self.reader.readexactly(int(headers["content-length"])))
        else:
            parts.append(await self.reader.read())

    async def ended(self, seconds: float) -> bool:
        """Whether the gateway closes this connection within `seconds`, whatever it still sends."""
        try:
            async with asyncio.timeout(seconds):
                while await self.reader.read(65536):
                    pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def leave(self, *, reset: bool = False) -> None:
        """Close the connection, with a reset where asked; what waits to be sent is dropped."""
        raw = cast("socket.socket | None", self.writer.get_extra_info("socket"))
        if reset and raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Return status and headers, names in lower case, of a response head."""
    lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:] if line)
    return int(lines[0].split(" ")[1]), {name.lower(): value.strip() for name, _, value in pairs}


async def once(port: int, data: bytes, seconds: float = ANSWER_S) -> Answer:
    """Send `data` on a new connection, return the answer and close; NOTHING where there was none."""
    try:
        client = await Client.open(port, seconds=seconds)
    except OSError:
        return NOTHING
    try:
        client.send(data)
        return await client.answer(seconds)
    finally:
        client.leave()
