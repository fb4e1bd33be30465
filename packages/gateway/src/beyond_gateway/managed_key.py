"""Managed keys: signed identities of the form `bai_v{1|2}.{kid}.{payload}.{signature}`.

One identity has exactly one spelling. Base64url leaves spare bits in a last character and decimals allow leading zeros;
were those accepted, one key would have many texts, and whatever counts or remembers keys by text could be dodged. The
grammar below admits only the canonical spelling. Formats: gw contract, credentials.
"""

import re
import struct
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

# 16 bytes are 22 characters of which the last carries 2 bits, 64 bytes are 86 likewise: only A, Q, g and w end those.
# 24 bytes are exactly 32 characters.
_TOKEN = re.compile(
    rb"(bai_(?:v1\.(0|[1-9][0-9]{0,9})\.([A-Za-z0-9_-]{21}[AQgw])|v2\.(0|[1-9][0-9]{0,9})\.([A-Za-z0-9_-]{32})))"
    rb"\.([A-Za-z0-9_-]{85}[AQgw])"
)
_MAX_KID = 2**32 - 1
_MAX_ID = 2**64 - 1


class Identity(msgspec.Struct, frozen=True):
    """Who a verified key speaks for: opaque u64 numbers. `key_id` is None for version 1."""

    kid: int
    tenant: int
    vpc: int
    key_id: int | None


class ManagedKey(msgspec.Struct, frozen=True):
    """A well-formed key whose signature nobody has checked yet. Its repr shows the fields without the signature."""

    identity: Identity
    signed_text: bytes
    signature: bytes

    def __repr__(self) -> str:
        return f"ManagedKey({self.identity!r}, unverified)"


def parse(token: bytes) -> ManagedKey | None:
    """Fields of a key in its one canonical spelling, unverified; None for everything else."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    signed_text, kid_1, payload_1, kid_2, payload_2, signature = match.groups()
    kid = int(kid_1 or kid_2)
    if kid > _MAX_KID:
        return None
    if payload_1 is not None:
        tenant, vpc = struct.unpack("<QQ", urlsafe_b64decode(payload_1 + b"=="))
        key_id = None
    else:
        tenant, vpc, key_id = struct.unpack("<QQQ", urlsafe_b64decode(payload_2))
    return ManagedKey(Identity(kid, tenant, vpc, key_id), signed_text, urlsafe_b64decode(signature + b"=="))


def verify(token: bytes, keyring: Mapping[int, VerifyKey]) -> Identity | None:
    """Identity of a key whose signature holds under the key of its kid; None otherwise, without saying why.

    Costs one Ed25519 verification, some 50 to 100 us, for a well-formed key of a known kid, and next to nothing else.
    """
    key = parse(token)
    return key.identity if key is not None and signature_holds(key, keyring) else None


def signature_holds(key: ManagedKey, keyring: Mapping[int, VerifyKey]) -> bool:
    """Whether the keyring has the key's kid and its signature holds."""
    public = keyring.get(key.identity.kid)
    if public is None:
        return False
    try:
        public.verify(key.signed_text, key.signature)
    except BadSignatureError:
        return False
    return True


def mint(seed: bytes, kid: int, tenant: int, vpc: int, key_id: int | None = None) -> str:
    """Sign a managed key with the 32-byte seed of `kid`: version 2 when there is a `key_id`, else version 1.

    Raises ValueError, naming the argument, when a number is out of range or the seed has another length.
    """
    _in_range("kid", kid, _MAX_KID)
    _in_range("tenant", tenant, _MAX_ID)
    _in_range("vpc", vpc, _MAX_ID)
    if key_id is None:
        version, payload = "v1", struct.pack("<QQ", tenant, vpc)
    else:
        _in_range("key_id", key_id, _MAX_ID)
        version, payload = "v2", struct.pack("<QQQ", tenant, vpc, key_id)
    text = f"bai_{version}.{kid}.{_base64url(payload)}"
    return f"{text}.{_base64url(signing_key(seed).sign(text.encode()).signature)}"


def signing_key(seed: bytes) -> SigningKey:
    """Signing key of a 32-byte seed; ValueError for another length."""
    if len(seed) != 32:
        raise ValueError("a signing key's seed is 32 bytes")
    return SigningKey(seed)


def decode_key(text: str) -> bytes:
    """32 raw bytes from standard base64 or base64url, with or without padding; ValueError for anything else."""
    unpadded = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = b64decode(unpadded + "=" * (-len(unpadded) % 4), validate=True)
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise ValueError("expected 32 bytes as base64")
    return raw


def keyring(public_keys: Mapping[int, bytes]) -> dict[int, VerifyKey]:
    """Keys ready to verify with, by kid, from 32 raw bytes each."""
    return {kid: VerifyKey(raw) for kid, raw in public_keys.items()}


def _in_range(name: str, value: int, most: int) -> None:
    if not 0 <= value <= most:
        raise ValueError(f"{name} must be between 0 and {most}")


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
