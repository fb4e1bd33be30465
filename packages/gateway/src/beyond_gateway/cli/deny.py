"""`deny add`, `deny remove` and `deny list`: who is denied, in the bucket that every gateway watches.

A change is confirmed with its revision once the store has it; gateways enforce it within the second.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from beyond_gateway.config_load import load
from beyond_gateway.deny import bucket
from beyond_gateway.deny.entries import key_of
from beyond_gateway.deny.lifetime import parse_ttl
from beyond_gateway.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path

    from beyond_gateway.deny.bucket import Entry

_PLAIN: Final = ("spend", "fraud")


class Target(NamedTuple):
    """Who is meant: a tenant, or a key id where there is no tenant."""

    tenant: int | None
    key_id: int | None

    @property
    def key(self) -> str:
        """Key of the entry. OperatorError unless there is exactly one of the two."""
        if (self.tenant is None) is (self.key_id is None):
            raise OperatorError("name one: a TENANT, or a key with --key-id N")
        return key_of(self.tenant if self.tenant is not None else ~(self.key_id or 0))

    def __str__(self) -> str:
        return f"tenant {self.tenant}" if self.key_id is None else f"key id {self.key_id}"


def add(config: Path | None, target: Target, reason: str, ttl: str | None, *, as_json: bool) -> int:
    """Deny `target`; print the revision. A `reason` other than `spend` and `fraud` is text, and refuses with 403."""
    seconds = None if ttl is None else _seconds(ttl)
    value = reason.encode() if reason in _PLAIN else msgspec.json.encode({"reason": reason})
    revision = asyncio.run(bucket.add(load(config, os.environ), target.key, value, seconds))
    until = "" if ttl is None else f" for {ttl}"
    _confirm(
        {"key": target.key, "revision": revision}, f"{target}: denied{until}, revision {revision}", as_json=as_json
    )
    return 0


def remove(config: Path | None, target: Target, *, as_json: bool) -> int:
    """Give `target` access again and print the revision; 1 where it was not denied."""
    revision = asyncio.run(bucket.remove(load(config, os.environ), target.key))
    if revision is None:
        print(f"{target}: was not denied", file=sys.stderr)
        return 1
    text = f"{target}: no longer denied, revision {revision}"
    _confirm({"key": target.key, "revision": revision}, text, as_json=as_json)
    return 0


def listing(config: Path | None, *, as_json: bool) -> int:
    """Print all that is denied: one line each, or one JSON array."""
    found = asyncio.run(bucket.entries(load(config, os.environ)))
    if as_json:
        print(msgspec.json.encode(found).decode())
        return 0
    for entry in found:
        print(_line(entry))
    return 0


def _line(entry: Entry) -> str:
    until = f"  until {_time(entry.until)}" if entry.until is not None else ""
    who = Target(entry.tenant, entry.key_id)
    # The reason is somebody's text: what would move a terminal's cursor is shown, not done.
    reason = "unknown" if entry.reason is None else ascii(entry.reason)[1:-1]
    return f"{who!s:<28}  {reason:<10}  since {_time(entry.since)}{until}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(ttl: str) -> int:
    """Whole seconds, at least one, of a duration such as 24h or 1h30m; `d` is a day."""
    text = ttl
    days, letter, rest = ttl.partition("d")
    if letter and days.isascii() and days.isdigit():
        text = f"{int(days) * 24}h{rest}"
    seconds = parse_ttl(text)
    if seconds is None or not seconds.is_integer() or not 1 <= seconds <= 10**9:
        raise OperatorError(f"--ttl: {ttl!r} is no time of whole seconds; write 90s, 30m, 24h or 7d")
    return int(seconds)


def _confirm(fields: dict[str, object], text: str, *, as_json: bool) -> None:
    print(msgspec.json.encode(fields).decode() if as_json else text)
