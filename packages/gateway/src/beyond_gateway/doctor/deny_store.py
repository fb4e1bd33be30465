"""The deny-set's store: whether NATS answers, lets us in, has JetStream, and has the bucket.

Fail-open makes this the check that nothing else replaces: without NATS the gateway serves as if all were well, and
nobody new is denied. Every server of the list is tried by itself, because a client that falls back to the next one
would hide the one that is down. The connection is the gateway's own. Nothing is written.
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from beyond_gateway.deny.stream import NOT_FOUND, parse_info
from beyond_gateway.doctor.report import Check, fail, note, ok, shown
from beyond_gateway.errors import OperatorError

if TYPE_CHECKING:
    from beyond_gateway.config import Config
    from beyond_gateway.deny.nats_client import NatsClient

_GOES_ON: Final = "requests go on without it, but nobody new is denied"
_PORT: Final = 4222
_NUMBER: Final = re.compile(r"\[Errno (\d+)\]")


class _Tried(NamedTuple):
    """One server: its address, the client where we were let in, else why not and how to mend it."""

    place: str
    client: NatsClient | None
    what: str = ""
    mend: str = ""


async def deny_store(config: Config, timeout_s: float) -> list[Check]:
    """Return the findings about each server of `nats_url` and about the bucket; one note where there is no `nats_url`.

    A server that fails is a failure, or a note where another one serves. Each of the two steps has half of `timeout_s`.
    """
    if config.nats_url is None:
        return [note("nats", "not configured (nats_url): there is no deny-set, nobody is denied")]
    urls = [url.strip() for url in config.nats_url.split(",") if url.strip()]
    try:
        places = [_place(url) for url in urls]
    except ValueError:
        places = []
    if not places:
        return [fail("nats", "nats_url is not a list of URLs", "write nats://host:4222, several with commas between")]
    step_s = timeout_s / 2
    servers = zip(places, (msgspec.structs.replace(config, nats_url=url) for url in urls), strict=True)
    tried = await asyncio.gather(*(_try(place, alone, step_s) for place, alone in servers))
    clients = [server.client for server in tried if server.client is not None]
    try:
        found = [_server(server, another=bool(clients)) for server in tried]
        return [*found, await _bucket(clients[0], config.config_bucket, step_s)] if clients else found
    finally:
        for client in clients:
            await client.end()


def _server(tried: _Tried, *, another: bool) -> Check:
    if tried.client is not None:
        version = tried.client.connected_server_version
        return ok("nats", f"{tried.place}: {version.major}.{version.minor}.{version.patch}, lets us in")
    if another:
        return note("nats", f"{tried.place}: {tried.what}; another server of the list serves")
    return fail("nats", f"{tried.place}: {tried.what}; {_GOES_ON}", tried.mend)


async def _try(place: str, config: Config, step_s: float) -> _Tried:
    # Imported here: nats loads only where there is a deny-set.
    from beyond_gateway.deny.nats_client import NatsFailed, connect  # noqa: PLC0415 - see above

    reach = f"start it, let traffic to {place} leave, or correct nats_url"
    try:
        async with asyncio.timeout(step_s):
            return _Tried(place, await connect(config))
    except TimeoutError:
        return _Tried(place, None, f"no answer within {step_s:g} s", reach)
    except OperatorError as error:
        return _Tried(place, None, str(error), "get a .creds file from who runs NATS")
    except NatsFailed as error:
        text = str(error).removeprefix("cannot connect to NATS: ")
    if "authori" in text.lower() or "authentication" in text.lower():
        return _Tried(place, None, "does not let us in", "correct nats_creds, nats_creds_file or the user in nats_url")
    number = _NUMBER.search(text)
    return _Tried(place, None, os.strerror(int(number[1])).lower() if number else text, reach)


async def _bucket(client: NatsClient, bucket: str, step_s: float) -> Check:
    """Finding about JetStream and the bucket, from one question about its stream."""
    from beyond_gateway.deny.nats_client import NatsFailed  # noqa: PLC0415 - as above

    name = "nats bucket"
    try:
        info = parse_info(await client.api(f"STREAM.INFO.KV_{bucket}", seconds=step_s))
    except NatsFailed as error:
        mend = f"start nats-server with -js, or permit $JS.API.STREAM.INFO.KV_{bucket} and _INBOX.> to this user"
        return fail(name, f"{bucket}: {error}; {_GOES_ON}", mend)
    except msgspec.DecodeError:
        return fail(name, f"{bucket}: the answer is none of JetStream's", "see what answers at nats_url")
    if info.error is None:
        return ok(name, f"{bucket}, about {info.state.num_subjects} entries")
    if info.error.err_code in NOT_FOUND:
        mend = "the first `beyond-ai deny add` makes it; correct config_bucket if it has another name"
        return fail(name, f"there is no bucket {bucket}: nobody is denied", mend)
    return fail(name, f"{bucket}: JetStream refused: {info.error.description}", "enable JetStream for this account")


def _place(url: str) -> str:
    """Host and port of a server's URL, without its user; ValueError where it is none."""
    parts = urlsplit(url if "://" in url else f"nats://{url}")
    if parts.scheme not in {"nats", "tls", "ws", "wss"} or not parts.hostname:
        raise ValueError
    return shown(parts.hostname, parts.port or _PORT)
