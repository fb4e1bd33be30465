"""The model seam over HTTP: one POST an attempt, the answer's events as they come, failure by its kind.

Asyncio streams and h11 for the heads, without an HTTP client library: from the start of a process to the first byte of
a request that is 57 ms instead of 149 (agent-core contract, shape). Framing and decoding are `beyond_wire`'s. One
connection an attempt: what has failed is never reused. This is the only file of the package that opens a socket.
"""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from beyond_agent_core.errors import ConfigError, RunFault
from beyond_agent_core.transport import TransportFailed
from beyond_wire.caps import caps_for
from beyond_wire.classify import is_overflow, is_quota
from beyond_wire.dialects import dialect_for
from beyond_wire.provider_errors import provider_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    import h11

    from beyond_wire.types import Dialect, ModelRequest, StreamEvent

CONNECT_S: Final = 10.0
BYTE_IDLE_S: Final = 600.0
"""Seconds to connect, and between two reads (agent-core contract, failure and retry)."""
READ_BYTES: Final = 64 * 1024
ERROR_BYTES: Final = 64 * 1024
"""Bytes of an error's body that are read; `SHOWN` characters of it are told."""
SHOWN: Final = 4_000
TRANSIENT: Final = frozenset({408, 409, 429, 500, 502, 503, 504, 524, 529})
"""Statuses that may go away by themselves (agent-core contract, failure and retry)."""


class HttpTransport:
    """Asks a gateway, or a provider, at `base_url`. `credentials` gives the key, and is asked for every request.

    `headers` are sent last and win. Keys are in no error and no repr. Raises ConfigError for an address without http.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Callable[[], str],
        *,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("base_url", "must be http://host or https://host")
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._authority = parts.netloc.rpartition("@")[2]
        self._base = parts.path.rstrip("/").removesuffix("/v1")
        self._tls = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        self._credentials = credentials
        self._headers = {name.lower(): value for name, value in (headers or {}).items()}

    def __repr__(self) -> str:
        return f"<HttpTransport {self._authority}{self._base}>"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
        """Yield the events of one answer. Raises TransportFailed, or a WireError of the bytes that came."""
        import h11  # noqa: PLC0415 - whoever brings a transport of their own does not pay for it

        dialect, caps = dialect_for(request.model), caps_for(request.model)
        body = dialect.encode(request, caps)
        head = self._head(dialect, dialect.headers(request, caps), len(body))
        reader, writer = await self._connect()
        wire = h11.Connection(h11.CLIENT)
        started = False
        try:
            writer.write(_sent(wire, head, body))
            answer = _Answer(reader, wire)
            await self._accepted(answer)
            decoder = dialect.decoder()
            async for piece in answer.pieces():
                for event in decoder.feed(piece):
                    started = True
                    yield event
            for event in decoder.finish():
                yield event
        except (OSError, TimeoutError, h11.RemoteProtocolError) as error:
            code = "stream_truncated" if started else "connect_failed"
            message = f"transport error: {type(error).__name__}"
            raise TransportFailed(RunFault(code=code, message=message, transient=True, started=started)) from None
        finally:
            writer.transport.abort()

    def _head(self, dialect: Dialect, dialect_headers: Mapping[str, str], length: int) -> h11.Request:
        import h11  # noqa: PLC0415 - as above

        fields = {
            "host": self._authority,
            "authorization": f"Bearer {self._credentials()}",
            "content-type": "application/json",
            "accept": "text/event-stream",
            "accept-encoding": "identity",
            "content-length": str(length),
            "user-agent": "beyond-ai-agent-core",
            **dialect_headers,
            **self._headers,
        }
        return h11.Request(method="POST", target=self._base + dialect.path, headers=list(fields.items()))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(CONNECT_S):
                return await asyncio.open_connection(
                    self._host, self._port, ssl=self._tls, server_hostname=self._host if self._tls else None
                )
        except (OSError, TimeoutError) as error:
            message = f"transport error: cannot connect to {self._authority}: {type(error).__name__}"
            raise TransportFailed(RunFault(code="connect_failed", message=message, transient=True)) from None

    async def _accepted(self, answer: _Answer) -> None:
        """Read the head of the answer; raise for everything that is no stream of events."""
        await answer.read_head()
        if answer.status == 200 and answer.headers.get("content-type", "").startswith("text/event-stream"):
            return
        text = (await answer.text(ERROR_BYTES)).strip()
        if answer.status == 200:
            message = f"expected an event stream, got: {text[:200]}"
            raise TransportFailed(RunFault(code="bad_frame", message=message))
        raise TransportFailed(_refused(answer.status, answer.headers, text))


class _Answer:
    """One response: its head, then its body in pieces."""

    def __init__(self, reader: asyncio.StreamReader, wire: h11.Connection) -> None:
        self._reader = reader
        self._wire = wire
        self.status = 0
        self.headers: dict[str, str] = {}

    async def read_head(self) -> None:
        import h11  # noqa: PLC0415 - as above

        while not isinstance(event := await self._next(), h11.Response):
            if isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                raise ConnectionResetError
        self.status = event.status_code
        self.headers = {name.decode().lower(): value.decode("latin-1") for name, value in event.headers}

    async def pieces(self) -> AsyncGenerator[bytes]:
        import h11  # noqa: PLC0415 - as above

        while True:
            event = await self._next()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return

    async def text(self, most: int) -> str:
        parts: list[bytes] = []
        async for piece in self.pieces():
            parts.append(piece)
            if sum(map(len, parts)) >= most:
                break
        return b"".join(parts).decode("utf-8", "replace")[:most]

    async def _next(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        import h11  # noqa: PLC0415 - as above

        while (event := self._wire.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(BYTE_IDLE_S):
                self._wire.receive_data(await self._reader.read(READ_BYTES))
        return event


def _sent(wire: h11.Connection, head: h11.Request, body: bytes) -> bytes:
    import h11  # noqa: PLC0415 - as above

    parts = (wire.send(head), wire.send(h11.Data(data=body)), wire.send(h11.EndOfMessage()))
    return b"".join(part for part in parts if part)


def _refused(status: int, headers: Mapping[str, str], text: str) -> RunFault:
    """Return what an answer that is no success is to the loop."""
    shown = text if len(text) <= SHOWN else text[:SHOWN] + "… [truncated]"
    message = f"gateway returned {status}: {shown}"
    told = provider_error(text)
    kind, code = (told.type, told.provider_code) if told is not None else (None, None)
    if status == 401:
        return RunFault(code="unauthorized", message=f"the key was refused, check it: {message}", status=status)
    if is_overflow(status, kind, text):
        return RunFault(code="context_overflow", message=message, status=status)
    if is_quota(kind, text, code):
        return RunFault(code="quota", message=message, status=status)
    wait = retry_after_s(headers.get("retry-after", ""), datetime.now(UTC))
    return RunFault(code="http_status", message=message, transient=status in TRANSIENT, status=status, retry_after=wait)


def retry_after_s(value: str, now: datetime) -> float | None:
    """Return Retry-After in seconds: a number, or a date, of which the past is 0 (RFC 9110, 10.2.3)."""
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):
        return None
