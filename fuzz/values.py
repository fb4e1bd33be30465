"""Targets that read small texts: managed keys, settings, deny entries and what is kept of them."""

from __future__ import annotations

import contextlib
import re
import zlib
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Final, cast

import msgspec

from beyond_gateway.config_load import load
from beyond_gateway.credentials import find
from beyond_gateway.deny import snapshot_format
from beyond_gateway.deny.entries import DenySet, key_of, parse_key, parse_reason
from beyond_gateway.deny.nats_credentials import parse_credentials
from beyond_gateway.errors import OperatorError
from beyond_gateway.managed_key import Identity, decode_key, keyring, mint, parse, signing_key, verify
from fuzz import oracle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEED: Final = bytes([7]) * 32
_LONG_WORD: Final = "provider_auth_schemes"  # a shorter secret may stand in a repr by chance
_BUCKET: Final = "b"


def managed_key(data: bytes) -> None:
    key = parse(data)
    found = find([(b"authorization", b"Bearer " + data), (b"x-api-key", b"sk-own")], b"key=" + data)
    if key is not None:
        signature = urlsafe_b64encode(key.signature).rstrip(b"=")
        assert key.signed_text + b"." + signature == data, "a key with two spellings"
        assert found is not None
        assert (found.managed, found.value) == (True, data)
        one = key.identity
        assert mint(SEED, one.kid, one.tenant, one.vpc, one.key_id).encode().startswith(key.signed_text + b".")
    who = verify(data, keyring({1: signing_key(SEED).verify_key.encode()}))
    if who is not None:
        assert data == mint(SEED, who.kid, who.tenant, who.vpc, who.key_id).encode(), "a signature nobody made"
    with contextlib.suppress(ValueError):
        assert len(decode_key(data.decode("latin-1"))) == 32


# -- settings


class _Text:
    """A configuration file that is no file."""

    def __init__(self, text: str) -> None:
        self._text = text

    def read_text(self, _encoding: str) -> str:
        return self._text

    def __str__(self) -> str:
        return "config.toml"


def _is_one_line(text: str) -> None:
    assert text.isprintable(), "an operator gets more than one line"


def config(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    found = re.finditer(r"^([A-Za-z0-9_]+)=([^\0\n]*)", text, re.MULTILINE)
    variables = {f"AI_{match[1]}": match[2] for match in found}
    for file, environ in ((_Text(text), {}), (None, variables)):
        try:
            loaded = load(cast("Path | None", file), environ)
        except OperatorError as fault:
            _is_one_line(str(fault))
            continue
        loaded.warnings()
        shown = repr(loaded)
        for keys in loaded.pool_keys.values():
            assert not any(len(key.reveal()) > len(_LONG_WORD) and key.reveal() in shown for key in keys)


def nats_credentials(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        credentials = parse_credentials(text, "nats_creds")
    except OperatorError as fault:
        _is_one_line(str(fault))
        return
    assert len(credentials.sign("nonce")) == 88
    assert credentials.user_jwt().decode() not in repr(credentials)


# -- the deny-set


def deny_entries(data: bytes) -> None:
    """Lines are changes: `-key` removes, `@` lets time pass, `~key=value` denies for a time, `+key=value` without."""
    denied, model = DenySet(), dict[int, tuple[bool, int | None]]()
    for revision, line in enumerate(data.split(b"\n")[:64], 1):
        key, _, value = line[1:].partition(b"=")
        entry = _entry(key)
        assert parse_key(key) == entry
        assert entry is None or key_of(entry).encode() == key
        if line[:1] == b"-":
            denied.remove(key, revision)
            model = {one: end for one, end in model.items() if one != entry}
        elif line[:1] == b"@":
            denied.expire(revision)
            model = {one: (spend, end) for one, (spend, end) in model.items() if end is None or end > revision}
        else:
            until = revision + len(value) if line[:1] == b"~" else None
            denied.apply(key, value, revision, until)
            spends = parse_reason(value) == "spend"
            assert not spends or _spends(value), "an unknown reason is taken for a spend limit"
            if entry is not None:
                model[entry] = (spends, until)
        _agrees(denied, model)


def _agrees(denied: DenySet, model: dict[int, tuple[bool, int | None]]) -> None:
    assert len(denied) == len(model)
    for entry, (spends, _) in model.items():
        owner = Identity(1, entry, 0, None) if entry >= 0 else Identity(1, 2**64, 0, ~entry)
        refusal = denied.refusal(owner)
        assert refusal is not None
        assert refusal.status == (402 if spends else 403)


def _entry(key: bytes) -> int | None:
    kind, dot, number = key.rpartition(b".")
    if not number.isdigit() or len(number) > 20 or number != b"%d" % int(number) or int(number) >= 2**64:
        return None
    return {b"blackhole.": int(number), b"blackhole.key.": ~int(number)}.get(kind + dot)


def _spends(value: bytes) -> bool:
    found = oracle.json_value(value)
    return value == b"spend" or (isinstance(found, dict) and cast("dict[str, object]", found).get("reason") == "spend")


def deny_snapshot(data: bytes) -> None:
    """Read an input as a snapshot, and as the numbers of one whose head is right."""
    with contextlib.suppress(snapshot_format.Damaged):
        snapshot_format.decode(data, _BUCKET)
    counts = [byte % 4 for byte in data[:6].ljust(6, b"\0")]
    body = data[6:][: 8 * sum(counts)].ljust(8 * sum(counts), b"\0")
    head = {"version": snapshot_format.VERSION, "bucket": _BUCKET, "revision": 7, "mark": None, "counts": counts}
    line = msgspec.json.encode(head | {"crc32": zlib.crc32(body)}) + b"\n"
    try:
        denied, mark = snapshot_format.decode(line + body, _BUCKET)
    except snapshot_format.Damaged:
        return
    again = b"".join(snapshot_format.encode(snapshot_format.columns_of(denied), _BUCKET, denied.revision, mark))
    other, _ = snapshot_format.decode(again, _BUCKET)
    assert (other.spend, other.suspended, other.deadlines) == (denied.spend, denied.suspended, denied.deadlines)
    for cut in (len(again) - 1, len(again) // 2):
        with contextlib.suppress(snapshot_format.Damaged):
            assert not snapshot_format.decode(again[:cut], _BUCKET), "a torn snapshot is read"
    denied.expire(2**64)
    assert not denied.deadlines


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "managed_key": managed_key,
    "config": config,
    "nats_credentials": nats_credentials,
    "deny_entries": deny_entries,
    "deny_snapshot": deny_snapshot,
}
"""Every target by its name."""
