"""Managed keys: grammar, signature, minting."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import VerifyKey

from beyond_gateway.managed_key import Identity, decode_key, keyring, mint, parse, signature_holds, verify

SEED = bytes([7]) * 32
PUBLIC = "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="
V1 = (
    "bai_v1.1.AQAAAAAAAAABAAAAAAAAAA."
    "WrWcPbklu91PS-4WuR6GnBNF3h4nROpH0EQQlfJf06f7_lEnlQOCSBimhH2JMwXFJgw40BniTB7-yIdFnpldDw"
)
V2 = (
    "bai_v2.1.AQAAAAAAAAABAAAAAAAAAAkAAAAAAAAA."
    "7zx4pOeF7Sm_tcl7n15GHqSfNFRt7Fh5_4kSXUCVwYofZrVl3qAr9RPrb0t6y7GY-jRBqNUa3SDnlUuLomUUDA"
)
KEYRING: dict[int, VerifyKey] = keyring({1: decode_key(PUBLIC)})
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def test_the_vectors_are_minted_letter_by_letter() -> None:
    """Both versions come out as keys minted elsewhere do: Ed25519 is deterministic."""
    assert mint(SEED, 1, 1, 1) == V1
    assert mint(SEED, 1, 1, 1, 9) == V2


def test_the_vectors_verify() -> None:
    """Both versions give their identity; version 1 has no key id."""
    assert verify(V1.encode(), KEYRING) == Identity(1, 1, 1, None)
    assert verify(V2.encode(), KEYRING) == Identity(1, 1, 1, 9)


@given(st.data())
def test_no_change_of_one_character_verifies(data: st.DataObject) -> None:
    """Replacing, dropping or doubling any one character of a valid key makes it invalid."""
    token = data.draw(st.sampled_from([V1, V2]))
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from(ALPHABET + ".=+/ \n\0").filter(lambda c: c != token[at]))
    for changed in (
        token[:at] + other + token[at + 1 :],
        token[:at] + token[at + 1 :],
        token[:at] + other + token[at:],
        token + other,
    ):
        assert verify(changed.encode(), KEYRING) is None


@given(
    kid=st.integers(0, 2**32 - 1),
    tenant=st.integers(0, 2**64 - 1),
    vpc=st.integers(0, 2**64 - 1),
    key_id=st.none() | st.integers(0, 2**64 - 1),
)
def test_what_is_minted_verifies(kid: int, tenant: int, vpc: int, key_id: int | None) -> None:
    """Every identity in range survives minting and verifying."""
    ring = {kid: KEYRING[1]}
    assert verify(mint(SEED, kid, tenant, vpc, key_id).encode(), ring) == Identity(kid, tenant, vpc, key_id)


@given(st.binary(max_size=300) | st.from_regex(rb"bai_v[12]\.[0-9]{1,11}\.[\w-]{20,34}\.[\w-]{84,88}", fullmatch=True))
def test_no_input_makes_parsing_raise(token: bytes) -> None:
    """Anything at all is parsed or refused, and what is parsed is refused by an unrelated keyring."""
    parse(token)
    assert verify(token, KEYRING) is None


@pytest.mark.parametrize(
    "kid", ["01", "+1", "-1", "", "4294967296", "99999999999", " 1", "1_0", "\N{ARABIC-INDIC DIGIT ONE}"]
)
def test_a_key_id_has_one_spelling(kid: str) -> None:
    """A sign, a leading zero, a number above u32 or a foreign digit is no managed key at all."""
    assert parse(V1.replace("bai_v1.1.", f"bai_v1.{kid}.").encode()) is None


def test_the_greatest_key_id_parses() -> None:
    """The last u32 is a key id, and zero is one too."""
    for kid in (0, 2**32 - 1):
        parsed = parse(V1.replace("bai_v1.1.", f"bai_v1.{kid}.").encode())
        assert parsed is not None
        assert parsed.identity.kid == kid


@pytest.mark.parametrize("where", [r"(?<=AAAAA)A(?=\.)", r"w\Z"])
def test_spare_bits_of_base64_must_be_zero(where: str) -> None:
    """Of the 64 possible last characters the four without spare bits parse: one identity has one spelling."""
    assert [c for c in ALPHABET if parse(re.sub(where, c, V1).encode()) is not None] == list("AQgw")


def test_an_unknown_key_id_does_not_verify() -> None:
    """Without the public key of its kid, a well-signed key is invalid."""
    assert verify(V1.encode(), {2: KEYRING[1]}) is None


def test_another_signer_does_not_verify() -> None:
    """A key of the right form signed with another seed is invalid."""
    assert verify(mint(bytes(32), 1, 1, 1).encode(), KEYRING) is None


def test_a_payload_cannot_change_version() -> None:
    """A version 2 payload under version 1's prefix, or the reverse, is no managed key."""
    assert parse(V2.replace("bai_v2", "bai_v1").encode()) is None
    assert parse(V1.replace("bai_v1", "bai_v2").encode()) is None


def test_an_unverified_key_hides_its_signature() -> None:
    """The repr of a parsed key cannot be used as the key."""
    parsed = parse(V1.encode())
    assert parsed is not None
    assert signature_holds(parsed, KEYRING)
    assert "WrWc" not in repr(parsed)
    assert repr(parsed.signature) not in repr(parsed)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((2**32, 1, 1), "kid"), ((1, -1, 1), "tenant"), ((1, 1, 2**64), "vpc"), ((1, 1, 1, 2**64), "key_id")],
)
def test_minting_names_the_number_out_of_range(arguments: tuple[int, ...], named: str) -> None:
    """Numbers that do not fit the format are refused by name."""
    with pytest.raises(ValueError, match=named):
        mint(SEED, *arguments)


def test_a_seed_has_32_bytes() -> None:
    """A seed of another length is refused instead of hashed into shape."""
    with pytest.raises(ValueError, match="32 bytes"):
        mint(SEED[:31], 1, 1, 1)


@pytest.mark.parametrize(
    "spelling", [PUBLIC, PUBLIC.rstrip("="), PUBLIC.replace("+", "-").replace("/", "_"), f" {PUBLIC}\n"]
)
def test_key_material_is_read_in_both_base64_alphabets(spelling: str) -> None:
    """Standard base64 and base64url, padded or not, give the same 32 bytes."""
    assert decode_key(spelling) == bytes(KEYRING[1])


@pytest.mark.parametrize("text", ["", "AAAA", PUBLIC + "AAAA", "!" * 44, "é" * 44])
def test_other_key_material_is_refused(text: str) -> None:
    """Anything but 32 bytes in base64 is an error that does not repeat the text."""
    with pytest.raises(ValueError, match="expected 32 bytes as base64"):
        decode_key(text)
