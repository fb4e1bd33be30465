"""Who we are to NATS, from the text of a `.creds` file: a user JWT to show and a seed that signs the server's nonce.

The seed is base32 of two prefix bytes (that it is a seed, and a user's), 32 bytes of Ed25519 seed and a CRC-16 of all
before it, low byte first (XMODEM: polynomial 0x1021, start 0). Format: NATS documentation, NKeys and JWT. PyNaCl, which
the gateway has for managed keys, signs. Errors say what is wrong and never show a part of the text.
"""

from __future__ import annotations

import re
from base64 import b32decode, b64encode
from binascii import Error as Base32Error
from binascii import crc_hqx
from typing import Final

from nacl.signing import SigningKey

from beyond_gateway.errors import OperatorError

_BLOCK: Final = re.compile(r"-{3,}\s*BEGIN ([A-Z ]+?)\s*-{3,}\s*(\S+)\s*-{3,}\s*END")
_SEED_PREFIX: Final = 18 << 3
_USER_PREFIX: Final = 20 << 3


class Credentials:
    """A user's JWT and signing key. The repr shows neither."""

    __slots__ = ("_jwt", "_key")

    def __init__(self, jwt: str, key: SigningKey) -> None:
        self._jwt = jwt
        self._key = key

    def __repr__(self) -> str:
        return "Credentials(***)"

    def user_jwt(self) -> bytes:
        """Return the JWT to show, for nats-py's `user_jwt_cb`."""
        return self._jwt.encode()

    def sign(self, nonce: str) -> bytes:
        """Return the signature over the server's nonce as base64, for nats-py's `signature_cb`."""
        return b64encode(self._key.sign(nonce.encode()).signature)


def parse_credentials(text: str, place: str) -> Credentials:
    """Credentials from the text of a .creds file; OperatorError, beginning with `place`, says what is wrong with it."""
    blocks = dict(_BLOCK.findall(text))
    jwt = blocks.get("NATS USER JWT")
    seed = blocks.get("USER NKEY SEED")
    if jwt is None or seed is None:
        missing = "NATS USER JWT" if jwt is None else "USER NKEY SEED"
        raise OperatorError(f"{place}: no {missing} in it; expected a .creds file as `nsc generate creds` writes it")
    if jwt.count(".") != 2:
        raise OperatorError(f"{place}: the user JWT is cut short or damaged; expected three parts with dots between")
    return Credentials(jwt, SigningKey(_seed(seed, place)))


def _seed(text: str, place: str) -> bytes:
    """32 bytes of Ed25519 seed from a user's encoded seed."""
    try:
        raw = b32decode(text + "=" * (-len(text) % 8))
    except (Base32Error, ValueError):
        raw = b""
    if len(raw) != 36 or crc_hqx(raw[:-2], 0) != int.from_bytes(raw[-2:], "little"):
        raise OperatorError(f"{place}: the user seed is cut short or damaged; generate the file again")
    # The second prefix straddles both bytes: three bits in the first, five in the second.
    if raw[0] & 0xF8 != _SEED_PREFIX or (raw[0] & 7) << 5 | raw[1] >> 3 != _USER_PREFIX:
        raise OperatorError(f"{place}: the seed is not a user's (those begin with SU)")
    return raw[2:-2]
