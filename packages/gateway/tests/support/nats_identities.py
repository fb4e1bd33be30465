"""Operators, accounts and users of NATS made by hand: keys in their base32 spelling and JWTs signed with them.

Enough of the formats for a server in operator mode to take a user, so that `.creds` files are tried on the real thing.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b32encode, urlsafe_b64encode
from binascii import crc_hqx
from typing import Any

from nacl.signing import SigningKey

OPERATOR, ACCOUNT, USER, SEED = 14 << 3, 0, 20 << 3, 18 << 3


class Key:
    """One key pair of a kind."""

    def __init__(self, kind: int, name: str) -> None:
        self.kind = kind
        self._raw = hashlib.sha256(name.encode()).digest()
        self.signing = SigningKey(self._raw)
        self.public = spelt(bytes([kind]) + self.signing.verify_key.encode())
        self.seed = spelt(bytes([SEED | kind >> 5, (kind & 31) << 3]) + self._raw)


def spelt(raw: bytes) -> str:
    """Bytes and their checksum in base32."""
    return b32encode(raw + crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")


def jwt(subject: Key, issuer: Key, name: str, claims: dict[str, Any]) -> str:
    """A signed JWT of NATS' own kind."""
    payload = {"jti": name, "iat": 1_700_000_000, "iss": issuer.public, "sub": subject.public, "name": name}
    head = _part({"typ": "JWT", "alg": "ed25519-nkey"})
    text = f"{head}.{_part(payload | {'nats': claims | {'version': 2}})}"
    return f"{text}.{_base64url(issuer.signing.sign(text.encode()).signature)}"


def _part(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value).encode())


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


class Operator:
    """An operator with one account that may store, and users of it."""

    def __init__(self) -> None:
        self._key = Key(OPERATOR, "operator")
        self._account = Key(ACCOUNT, "account")
        self._system = Key(ACCOUNT, "system")

    def settings(self) -> str:
        """The server's configuration that trusts this operator."""
        unlimited = {"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "conn": -1, "leaf": -1}
        stored = unlimited | {"wildcards": True, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
        account = jwt(self._account, self._key, "account", {"type": "account", "limits": stored})
        system = jwt(self._system, self._key, "system", {"type": "account", "limits": unlimited | {"wildcards": True}})
        operator = jwt(self._key, self._key, "operator", {"type": "operator", "system_account": self._system.public})
        return (
            f"operator: {operator}\nsystem_account: {self._system.public}\nresolver: MEMORY\n"
            f"resolver_preload: {{ {self._account.public}: {account}, {self._system.public}: {system} }}\n"
        )

    def creds(self, name: str = "user", *, denied: tuple[str, ...] = ()) -> str:
        """The text of a .creds file; `denied` names subjects that this user must not publish to."""
        user = Key(USER, name)
        permissions: dict[str, Any] = {"pub": {"deny": list(denied)} if denied else {}, "sub": {}}
        token = jwt(user, self._account, name, {"type": "user", "subs": -1, "data": -1, "payload": -1, **permissions})
        return (
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            "************************* IMPORTANT *************************\nKeep it secret.\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n\n"
            "*************************************************************\n"
        )
