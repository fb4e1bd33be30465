"""The transport over HTTP: one attempt, one request, its answer as events while it comes.

Framing, encoding and decoding are `beyond_wire`'s; this is addresses, credentials and the life of a connection.
"""

from __future__ import annotations

import inspect
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from msgspec.structs import replace

from beyond_agent_core.client_dialect import dialect_named
from beyond_agent_core.client_faults import failure, not_a_stream, refused, without_key
from beyond_agent_core.client_headers import VALUE, checked, is_stream, request_headers
from beyond_agent_core.client_histories import Histories
from beyond_agent_core.client_pool import ConnectionPool
from beyond_agent_core.client_target import parse_base
from beyond_agent_core.drive_hooks import call_quietly
from beyond_agent_core.errors import ConfigError, RunFault
from beyond_agent_core.hooks import LOG, Hooks
from beyond_agent_core.transport import TransportFailed
from beyond_wire.caps import caps_for
from beyond_wire.errors import ProviderError, WireError
from beyond_wire.types import MessageStop, TokenUsage, usage_event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
    from ssl import SSLContext
    from types import TracebackType

    from beyond_agent_core.client_http1 import Connection
    from beyond_wire.types import Caps, DialectName, ModelRequest, StreamDecoder, StreamEvent

Credentials: TypeAlias = "Callable[[], str | Awaitable[str]]"
"""Gives the key for one request; asked each time, so that a key may be short-lived."""

CONNECT_S: Final = 10.0
"""Seconds to a connection, name look-up and handshakes included (agent-core contract, failure and retry)."""
BYTE_IDLE_S: Final = 600.0
"""Seconds without a byte of the answer (agent-core contract, failure and retry)."""
MAX_ERROR_BYTES: Final = 65_536
"""Most that is read of the body of an error."""


class HttpTransport:
    """Asks models at `base_url`, a gateway or a provider itself. A user part of the URL is neither used nor shown.

    `direct` says that it is the provider, where Anthropic wants its key in `x-api-key`; without `credentials` no key is
    sent. `dialect` names the format for all models, by default each model's own, and `caps` says what a model can do.
    `headers` come last and win. `tls` replaces what the system trusts, and must verify. Proxies are those of `environ`.
    Of `hooks` the two are called that see bodies and heads; neither sees the key. Raises `ConfigError`, naming the
    field, for what cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials | None,
        *,
        direct: bool = False,
        dialect: DialectName | None = None,
        caps: Callable[[str], Caps] = caps_for,
        headers: Mapping[str, str] | None = None,
        pool: ConnectionPool | None = None,
        tls: SSLContext | None = None,
        environ: Mapping[str, str] | None = None,
        connect_s: float = CONNECT_S,
        byte_idle_s: float = BYTE_IDLE_S,
        hooks: Hooks | None = None,
    ) -> None:
        self._origin, self._prefix = parse_base(base_url, os.environ if environ is None else environ)
        # A context that checks names cannot be one that verifies nothing: `ssl` refuses the two together.
        if tls is not None and not tls.check_hostname:
            raise ConfigError("tls", "must verify the server and its name")
        for field, seconds in (("connect_s", connect_s), ("byte_idle_s", byte_idle_s)):
            if not seconds > 0:
                raise ConfigError(field, "must be above 0")
        self._extra = checked(headers or {})
        self._credentials = credentials
        self._direct = direct
        self._dialect: DialectName | None = dialect
        self._caps = caps
        self._histories = Histories()
        self._own_pool = pool is None
        self._pool = ConnectionPool() if pool is None else pool
        self._tls = tls
        self._connect_s = connect_s
        self._byte_idle_s = byte_idle_s
        self._hooks = Hooks() if hooks is None else hooks

    def __repr__(self) -> str:
        return f"<HttpTransport {self._origin.scheme}://{self._origin.authority}{self._prefix} idle={self._pool.idle}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections, unless the pool is shared: then they are its owner's. Forget all histories."""
        self._histories.clear()
        if self._own_pool:
            self._pool.close()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
        """Yield the events of the answer as they come. Closing the iterator closes the connection.

        One attempt is made, always for a streamed answer. Raises `TransportFailed`, `EncodeError` for a request that
        cannot be sent, or the `WireError` of what came; of an answer that breaks the usage known so far comes first.
        """
        caps = self._caps(request.model)
        if self._dialect is not None:
            caps = caps.spoken(self._dialect)
        dialect = dialect_named(caps.dialect)
        asked = request if request.stream else replace(request, stream=True)
        body = dialect.encode_prepared(self._histories.prepare(asked, caps), caps, source=asked)
        body = await self._payload(body)
        key = await self._key()
        named = "x-api-key" if self._direct and dialect.name == "anthropic" else "authorization"
        fixed = request_headers(self._origin, len(body), credential=(named, key) if key else None)
        headers = list({**fixed, **dialect.headers(request, caps), **self._extra}.items())
        connection = await self._pool.take(self._origin, self._tls, self._connect_s)
        try:
            target = self._origin.target(self._prefix + dialect.path)
            status, fields = await connection.ask(target, headers, body, byte_idle_s=self._byte_idle_s)
            await call_quietly(self._hooks.after_provider_response, "after_provider_response", status, dict(fields))
            if not (status == 200 and is_stream(fields)):
                fault = await _fault(connection, status, fields, key)
                raise TransportFailed(fault)
            decoder, done = dialect.decoder(), False
            try:
                while not done:
                    piece = await connection.piece()
                    events, wrong = _decoded(decoder, piece, key)
                    for event in events:
                        yield event
                    if wrong is not None:
                        raise wrong
                    done = piece is None or (bool(events) and isinstance(events[-1], MessageStop))
            except (TransportFailed, WireError):
                # What a part of an answer cost counts for budgets, as far as the provider has told it.
                if decoder.usage != TokenUsage():
                    yield usage_event(decoder.usage)
                raise
            await connection.settle()
        finally:
            self._pool.give_back(connection)

    async def _payload(self, body: bytes) -> bytes:
        """Return what is sent in the place of `body`."""
        replaced = await call_quietly(self._hooks.before_provider_payload, "before_provider_payload", body)
        if replaced is None or isinstance(replaced, bytes):  # pyright: ignore[reportUnnecessaryIsInstance] - hooks are others' code
            return body if replaced is None else replaced
        LOG.warning("hook before_provider_payload returned %s, not bytes", type(replaced).__name__)
        return body

    async def _key(self) -> str:
        """Return the key of a request, empty where none is wanted."""
        if self._credentials is None:
            return ""
        try:
            given = self._credentials()
            key = await given if inspect.isawaitable(given) else given
        except Exception as error:  # noqa: BLE001 - whatever keeps the key from us; its text may hold the key
            raise _no_key(f"the credentials failed with {type(error).__name__}") from None
        if not VALUE.fullmatch(key):
            raise _no_key("the key is empty or has characters that no header can hold")
        return key


async def _fault(connection: Connection, status: int, fields: dict[str, str], key: str) -> RunFault:
    body = await connection.start_of_body(MAX_ERROR_BYTES)
    if not 200 <= status < 300:
        return refused(status, fields, body, key=key, now=datetime.now(UTC))
    encoding = fields.get("content-encoding", "").strip()
    fault = not_a_stream(fields.get("content-type", ""), "" if encoding == "identity" else encoding, body, key=key)
    return replace(fault, status=status)


def _decoded(decoder: StreamDecoder, piece: bytes | None, key: str) -> tuple[Sequence[StreamEvent], WireError | None]:
    """Return the events of a piece of the body, None being its end, and the fault behind them."""
    try:
        return (decoder.finish() if piece is None else decoder.feed(piece)), None
    except ProviderError as fault:
        return fault.events, without_key(fault, key)
    except WireError as fault:
        return fault.events, fault


def _no_key(text: str) -> TransportFailed:
    return TransportFailed(RunFault(code="unauthorized", message=failure(text)))
