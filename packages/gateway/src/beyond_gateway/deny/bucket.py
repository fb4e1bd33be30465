"""An operator's changes to the deny-set: written to the bucket, confirmed with the revision they got.

Each call is one connection, bounded to a few seconds. What cannot be done is an OperatorError of one line. A bucket
made here keeps one value for each key and lets entries end by themselves, with a marker that tells every gateway.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from beyond_gateway.deny.entries import parse_key, parse_reason
from beyond_gateway.deny.lifetime import ends_at, is_removal, place
from beyond_gateway.deny.nats_client import NatsFailed, connect
from beyond_gateway.deny.stream import NOT_FOUND, ApiError, parse_info
from beyond_gateway.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from beyond_gateway.config import Config
    from beyond_gateway.deny.nats_client import NatsClient

MARKER_TTL_S: Final = 3600
"""How long the marker of an ended entry stays in a bucket made here: whoever was away longer scans anyway."""
LIST_S: Final = 30.0
"""Seconds for a list, several times what a million entries take."""
_NO_TTL: Final = 10166
_NO_MESSAGE: Final = 10037


class Entry(msgspec.Struct, frozen=True):
    """One denied tenant or key id as stored; the other of the two is None.

    `reason` is None where the value has none. `since` and `until` are wall seconds; `until` None is for good.
    """

    tenant: int | None
    key_id: int | None
    reason: str | None
    revision: int
    since: float
    until: float | None


class _Message(msgspec.Struct, frozen=True):
    hdrs: str = ""


class _Answer(msgspec.Struct, frozen=True):
    """Answers of JetStream: to a write, to a look at one key, to a new consumer."""

    seq: int = 0
    num_pending: int = 0
    message: _Message = _Message()
    error: ApiError | None = None


_ANSWER: Final = msgspec.json.Decoder(_Answer)


async def add(config: Config, key: str, value: bytes, ttl_s: int | None) -> int:
    """Deny what `key` names, for `ttl_s` seconds or for good; return the revision. Makes a missing bucket."""
    async with _connected(config) as client:
        await _make_sure(client, config.config_bucket)
        headers = None if ttl_s is None else {"Nats-TTL": f"{ttl_s}s"}
        return await _publish(client, config.config_bucket, key, value, headers)


async def remove(config: Config, key: str) -> int | None:
    """Deny it no longer; return the revision, or None where it was not denied."""
    bucket = config.config_bucket
    async with _connected(config) as client:
        found = _ANSWER.decode(await client.api(f"STREAM.MSG.GET.KV_{bucket}", {"last_by_subj": f"$KV.{bucket}.{key}"}))
        if found.error is not None and found.error.err_code in NOT_FOUND | {_NO_MESSAGE}:
            return None
        _accept(found)
        if is_removal(_headers(b64decode(found.message.hdrs))):
            return None
        return await _publish(client, bucket, key, b"", {"KV-Operation": "DEL"})


async def entries(config: Config) -> list[Entry]:
    """Return all that is denied, tenants before key ids, by number; empty where there is no bucket."""
    async with _connected(config) as client:
        info = parse_info(await client.api(f"STREAM.INFO.KV_{config.config_bucket}"))
        if info.error is not None:
            if info.error.err_code in NOT_FOUND:
                return []
            raise OperatorError(f"JetStream refused: {info.error.description}")
        listing = _Listing(len(f"$KV.{config.config_bucket}."), info.max_age_s)
        await _deliver(client, config.config_bucket, listing)
    return sorted(listing.entries, key=lambda entry: (entry.tenant is None, entry.tenant or 0, entry.key_id or 0))


class _Listing:
    """Collects the entries that a consumer delivers."""

    def __init__(self, skip: int, max_age_s: float) -> None:
        self.entries: list[Entry] = []
        self.done = asyncio.Event()
        self._skip = skip
        self._max_age_s = max_age_s

    def take(self, subject: bytes, reply: bytes, data: bytes, headers: Mapping[str, str] | None) -> bytes | None:
        if reply.startswith(b"$JS.FC."):
            return reply
        if not reply:
            self.done.set()
            return None
        revision, _, written_ns, pending = place(reply)
        entry = parse_key(subject[self._skip :])
        if entry is not None and not is_removal(headers or {}):
            tenant, key_id = (entry, None) if entry >= 0 else (None, ~entry)
            until = ends_at(headers or {}, written_ns, self._max_age_s)
            self.entries.append(Entry(tenant, key_id, parse_reason(data), revision, written_ns / 1e9, until))
        if not pending:
            self.done.set()
        return None


async def _deliver(client: NatsClient, bucket: str, listing: _Listing) -> None:
    inbox = client.new_inbox()
    await client.follow(inbox, listing.take)
    wanted = {
        "deliver_subject": inbox,
        "deliver_policy": "last_per_subject",
        "filter_subject": f"$KV.{bucket}.blackhole.>",
        "ack_policy": "none",
        "max_deliver": 1,
        "flow_control": True,
        "idle_heartbeat": 1_000_000_000,
        "mem_storage": True,
        "num_replicas": 1,
    }
    body = {"stream_name": f"KV_{bucket}", "config": wanted}
    made = _accept(_ANSWER.decode(await client.api(f"CONSUMER.CREATE.KV_{bucket}", body)))
    if made.num_pending:
        try:
            async with asyncio.timeout(LIST_S):
                await listing.done.wait()
        except TimeoutError:
            raise OperatorError(f"the list did not come within {LIST_S:g} s") from None


@asynccontextmanager
async def _connected(config: Config) -> AsyncGenerator[NatsClient]:
    """Give a connection; what NATS refuses becomes the operator's one line."""
    if not config.nats_url:
        raise OperatorError("nats_url is not set: give a configuration with -c, or AI_NATS_URL", key="nats_url")
    try:
        client = await connect(config)
        try:
            yield client
        finally:
            await client.end()
    except NatsFailed as error:
        raise OperatorError(str(error)) from None
    except msgspec.DecodeError:
        raise OperatorError("JetStream gave an answer that cannot be read") from None


async def _make_sure(client: NatsClient, bucket: str) -> None:
    """Make the bucket if it is missing."""
    info = parse_info(await client.api(f"STREAM.INFO.KV_{bucket}"))
    if info.error is None:
        return
    if info.error.err_code not in NOT_FOUND:
        raise OperatorError(f"JetStream refused: {info.error.description}")
    wanted = {
        "name": f"KV_{bucket}",
        "description": "deny-set of beyond-ai",
        "subjects": [f"$KV.{bucket}.>"],
        "storage": "file",
        "num_replicas": 1,
        "max_msgs_per_subject": 1,
        "discard": "new",
        "deny_delete": True,
        "allow_rollup_hdrs": True,
        "allow_direct": True,
        "allow_msg_ttl": True,
        "subject_delete_marker_ttl": MARKER_TTL_S * 1_000_000_000,
    }
    _accept(_ANSWER.decode(await client.api(f"STREAM.CREATE.KV_{bucket}", wanted)))


async def _publish(client: NatsClient, bucket: str, key: str, value: bytes, headers: dict[str, str] | None) -> int:
    answer = _ANSWER.decode(await client.ask(f"$KV.{bucket}.{key}", value, headers))
    if answer.error is not None and answer.error.err_code == _NO_TTL:
        raise OperatorError(
            f"bucket {bucket} takes no TTL; mend it: "
            f"nats stream edit KV_{bucket} --allow-msg-ttl --subject-del-markers-ttl=1h, or leave --ttl out"
        )
    return _accept(answer).seq


def _accept(answer: _Answer) -> _Answer:
    if answer.error is not None:
        raise OperatorError(f"JetStream refused: {answer.error.description}")
    return answer


def _headers(raw: bytes) -> dict[str, str]:
    """Header lines of a stored message, which come as it has them."""
    lines = (line.partition(":") for line in raw.decode("utf-8", "replace").split("\r\n")[1:])
    return {name: value.strip() for name, colon, value in lines if colon}
