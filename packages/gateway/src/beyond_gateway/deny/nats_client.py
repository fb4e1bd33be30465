"""One connection to NATS, for the watch and for the commands; the only module that imports nats.

Mechanism. nats-py builds an object, a header dict and a queue entry for each message and wakes a task for it, some
15 us; a scan of a million entries would take that many seconds. `follow` takes one subscription's messages off earlier:
runs of plain ones as they stand in what was read, single ones where the client hands out what it parsed. That leaves
4 us with all that the feed does, and the loop gets a turn after every few hundred. Should a later nats-py not call
these points, messages come by the ordinary callback, slower and just as right. The client's own reconnecting stays off:
what was missed meanwhile must be judged, which is the watch's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError, NoServersError
from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser

from beyond_gateway.deny.nats_credentials import Credentials, parse_credentials
from beyond_gateway.errors import OperatorError
from beyond_gateway.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nats.aio.msg import Msg

    from beyond_gateway.config import Config

    Take = Callable[[bytes, bytes, bytes, Mapping[str, str] | None], bytes | None]

CONNECT_S: Final = 5.0
"""Seconds for one connection with TCP, TLS and greeting, all servers of the list together."""
ANSWER_S: Final = 2.0
"""Seconds for an answer of JetStream; a healthy one takes milliseconds."""
CLOSE_S: Final = 1.0
"""Seconds to close in; a server that reads nothing is not waited for."""
TURN: Final = 256
"""Messages taken before the loop gets a turn: about 1 ms."""
_LINE: Final = re.compile(rb"MSG ([^ ]+) (\d+) ([^ \r]+) (\d+)\r\n")


class NatsFailed(Exception):  # noqa: N818 - it says what happened, as its siblings outside this package do
    """NATS cannot be used as asked: one line for an operator, without secrets."""


class NatsClient(Client):
    """nats-py's client, with one subscription whose messages are taken as they are parsed."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = asyncio.Event()
        self._take: Take = _ignore
        self._followed = 0
        self._turn = 0
        self._ps = _Runs(self)

    async def follow(self, inbox: str, take: Take) -> None:
        """Hand each message of `inbox` to `take`, which returns a subject to answer with nothing, or None."""
        self._take = take
        try:
            await self.subscribe(inbox, cb=self._slowly)  # pyright: ignore[reportUnknownMemberType] - untyped future
        except (NatsError, OSError) as error:
            raise NatsFailed(f"cannot subscribe: {_described(error)}") from None
        self._followed = self._sid

    async def unfollow(self) -> None:
        """Take no more."""
        subscription = self._subs.get(self._followed)
        self._followed = 0
        self._take = _ignore
        if subscription is not None:
            with contextlib.suppress(NatsError, OSError):
                await subscription.unsubscribe()

    async def api(self, name: str, body: object = None, *, seconds: float = ANSWER_S) -> bytes:
        """Return the answer of JetStream's API; NatsFailed where there is none."""
        encoded = b"" if body is None else msgspec.json.encode(body)
        return await self.ask(f"$JS.API.{name}", encoded, seconds=seconds)

    async def ask(
        self, subject: str, data: bytes, headers: dict[str, str] | None = None, *, seconds: float = ANSWER_S
    ) -> bytes:
        """Return the answer to a request; NatsFailed where there is none."""
        try:
            return (await self.request(subject, data, timeout=seconds, headers=headers)).data
        except NoRespondersError:
            raise NatsFailed("JetStream is not enabled, or not for this account") from None
        except (NatsError, OSError, TimeoutError) as error:
            # A publish that is not permitted is told beside the request, which then gets no answer.
            cause = self.last_error
            if cause is not None and "permissions violation" in str(cause).lower():
                raise NatsFailed(f"not permitted: {redact(str(cause).removeprefix('nats: '))}") from None
            raise NatsFailed(f"no answer from JetStream within {seconds:g} s ({_described(error)})") from None

    async def take_runs(self, data: bytes) -> bytes:
        """Take the messages that `data` begins with, as far as they are whole, plain and ours; return the rest."""
        at = 0
        while (line := _LINE.match(data, at)) is not None and int(line[2]) == self._followed:
            end = line.end() + int(line[4])
            if len(data) < end + 2:
                break
            answer = self._take(line[1], line[3], data[line.end() : end], None)
            at = end + 2
            self._turn += 1
            if answer is not None or self._turn >= TURN:
                await self._give_turn(answer)
        return data[at:]

    def may_grow(self, rest: bytes) -> bool:
        """Whether `rest` is the beginning of a message that `take_runs` takes when the rest of it has come."""
        if not rest.startswith(b"MSG "):
            return False
        line = _LINE.match(rest)
        return b"\r\n" not in rest if line is None else int(line[2]) == self._followed

    async def end(self) -> None:
        """Close, in bounded time, whatever state the connection is in."""
        with contextlib.suppress(NatsError, OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.close()

    async def _slowly(self, message: Msg) -> None:
        answer = self._take(message.subject.encode(), message.reply.encode(), message.data, message.headers)
        if answer is not None:
            await self.publish(answer.decode(), b"")

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        if sid != self._followed:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        described: dict[str, str] | None = None
        if headers:
            described = await self._process_headers(headers)  # pyright: ignore[reportUnknownMemberType] - untyped
        answer = self._take(subject, reply, data, described)
        self._turn += 1
        if answer is not None or self._turn >= TURN:
            await self._give_turn(answer)

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:  # noqa: FBT001, FBT002 - nats-py's own signature
        await super()._process_info(info, initial_connection)
        # Else nats-py would go on in clear text, and the next thing that it sends is who we are.
        server = self._current_server
        if initial_connection and server is not None and server.uri.scheme == "tls" and not info.get("tls_required"):
            raise NatsError("the server offers no TLS, and its url begins with tls://")

    async def _give_turn(self, answer: bytes | None) -> None:
        if answer is not None:
            await self.publish(answer.decode(), b"")
        self._turn = 0
        await asyncio.sleep(0)


class _Runs(Parser):
    """nats-py's parser, behind a look for messages that need none of it."""

    def __init__(self, client: NatsClient) -> None:
        super().__init__(client)  # pyright: ignore[reportUnknownMemberType] - untyped
        self._client = client

    async def parse(self, data: bytes = b"") -> None:
        if self.state == AWAITING_CONTROL_LINE:
            rest = await self._client.take_runs(bytes(self.buf) + data)
            self.buf.clear()
            if self._client.may_grow(rest):
                self.buf.extend(rest)
                return
            data = rest
        await super().parse(data)


def credentials(config: Config) -> Credentials | None:
    """Return who to connect as, read anew so that a file can be rotated; OperatorError for what cannot be used."""
    if config.nats_creds is not None:
        return parse_credentials(config.nats_creds.reveal(), "nats_creds")
    path = config.nats_creds_file
    if path is None:
        return None
    try:
        return parse_credentials(path.read_text("utf-8"), f"nats_creds_file: {path}")
    except OSError as error:
        raise OperatorError(f"nats_creds_file: {path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise OperatorError(f"nats_creds_file: {path}: not a .creds file") from None


async def connect(config: Config) -> NatsClient:
    """Return a connection to one of the servers in `nats_url`, which the caller must `end`.

    Raises NatsFailed where none takes us, OperatorError where the credentials cannot be used.
    """
    servers = [part.strip() for part in (config.nats_url or "").split(",") if part.strip()]
    who = credentials(config)
    client = NatsClient()
    causes: list[Exception] = []

    async def failed(error: Exception) -> None:
        causes.append(error)

    async def closed() -> None:
        client.gone.set()

    try:
        async with asyncio.timeout(CONNECT_S):
            await client.connect(
                servers,
                name="beyond-ai",
                error_cb=failed,
                closed_cb=closed,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                ping_interval=10,
                user_jwt_cb=who.user_jwt if who else None,
                signature_cb=who.sign if who else None,
            )
    except (NatsError, OSError, TimeoutError, ValueError) as error:
        cause = causes[-1] if causes and isinstance(error, NoServersError) else error
        await client.end()
        # A refusal's text may be lost when the server closes at once behind it.
        hint = "; so servers do that refuse credentials" if isinstance(cause, ConnectionResetError) else ""
        raise NatsFailed(f"cannot connect to NATS: {_described(cause)}{hint}") from None
    except asyncio.CancelledError:
        await client.end()
        raise
    causes.clear()
    return client


def _ignore(_subject: bytes, _reply: bytes, _data: bytes, _headers: Mapping[str, str] | None) -> None:
    """Take what still comes for nobody."""


def _described(error: BaseException) -> str:
    """Name a failure in one line without what may be secret."""
    text = redact(str(error).removeprefix("nats: ").strip("'")).replace("\n", " ")
    return text or type(error).__name__
