"""The text of a .creds file: what is taken, what is refused, and that neither shows."""

from __future__ import annotations

from base64 import b64decode

import pytest
from nats_identities import ACCOUNT, USER, Key, Operator

from beyond_gateway.deny.nats_credentials import parse_credentials
from beyond_gateway.errors import OperatorError

GOOD = Operator().creds()
SEED = Key(USER, "user").seed


def test_a_user_shows_its_jwt_and_signs_the_nonce() -> None:
    """The JWT comes back as it stands in the file, and the signature holds under the user's public key."""
    who = parse_credentials(GOOD, "nats_creds")
    assert who.user_jwt().decode() in GOOD
    assert who.user_jwt().count(b".") == 2
    public = Key(USER, "user").signing.verify_key
    assert public.verify(b"nonce-1", b64decode(who.sign("nonce-1"))) == b"nonce-1"


@pytest.mark.parametrize("text", [GOOD.replace("\n", "\r\n"), f"\ufeff{GOOD}", GOOD.replace("-----", "---")])
def test_other_line_ends_and_rules_are_taken(text: str) -> None:
    """Files that went through other systems are the same credentials."""
    assert parse_credentials(text, "x").user_jwt() == parse_credentials(GOOD, "x").user_jwt()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no NATS USER JWT"),
        (SEED, "no NATS USER JWT"),
        (GOOD.partition("****")[0], "no USER NKEY SEED"),
        (GOOD.replace(".", ""), "the user JWT is cut short"),
        (GOOD.replace(SEED, SEED[:-1]), "the user seed is cut short"),
        (GOOD.replace(SEED, SEED[:20] + ("A" if SEED[20] != "A" else "B") + SEED[21:]), "the user seed is cut short"),
        (GOOD.replace(SEED, SEED.lower()), "the user seed is cut short"),
        (GOOD.replace(SEED, "é" * 58), "the user seed is cut short"),
        (GOOD.replace(SEED, Key(ACCOUNT, "a").seed), "the seed is not a user's"),
        (GOOD.replace(SEED, Key(USER, "user").public), "the user seed is cut short"),
    ],
)
def test_what_is_wrong_is_said_without_showing_it(text: str, says: str) -> None:
    """One line that begins with the place and has no part of the file."""
    with pytest.raises(OperatorError) as caught:
        parse_credentials(text, "nats_creds_file: /etc/x.creds")
    line = str(caught.value)
    assert line.startswith("nats_creds_file: /etc/x.creds: ")
    assert says in line
    assert "\n" not in line
    assert SEED[:8] not in line
    assert "eyJ" not in line


def test_the_repr_shows_nothing() -> None:
    """A credential in a log is a credential lost."""
    assert repr(parse_credentials(GOOD, "x")) == "Credentials(***)"
