"""Secrets wrapped, masked and overwritten."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beyond_gateway.redact import PoolKeyScrub, Secret, overwrite, redact

KEY = b"sk-proj-abcabcabd"


def test_a_secret_never_prints_itself() -> None:
    """repr, str, format and the repr of a container show stars; reveal gives the text."""
    secret = Secret("sk-live-1")
    shown = f"{secret} {secret!r} {[secret]}" + str(secret)
    assert "sk-live-1" not in shown
    assert secret.reveal() == "sk-live-1"


def test_secrets_are_equal_when_their_texts_are() -> None:
    """Equality and hash follow the text, so that a reload can tell what changed."""
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert Secret("a") != "a"


def test_redacting_masks_given_secrets_the_longer_first() -> None:
    """A secret that begins like another leaves no tail, and an empty one changes nothing."""
    text = "tried sk-abc and sk-abcdef"
    assert redact(text, [Secret("sk-abc"), Secret("sk-abcdef"), Secret("")]) == "tried *** and ***"


def test_redacting_masks_managed_keys_and_users_of_urls() -> None:
    """What looks like a managed key, or stands before @ in a URL, needs no list to be masked."""
    assert redact("--nope bai_v1.1.AQ-x.s_g done") == "--nope *** done"
    assert redact("nats://bob:pw@a:4222,nats://tok@b") == "nats://***@a:4222,nats://***@b"


def test_redacting_bytes_gives_text() -> None:
    """Bytes that are no UTF-8 are escaped rather than raised over."""
    assert redact(b"\xff sk-1", [Secret("sk-1")]) == "\\xff ***"


def test_overwriting_keeps_the_length() -> None:
    """Each occurrence turns into as many stars; an empty key changes nothing."""
    assert overwrite(b"a KEY b KEY", b"KEY") == b"a *** b ***"
    assert overwrite(b"body", b"") == b"body"


@given(
    key=st.text("ab", min_size=1, max_size=5).map(str.encode),
    body=st.text("ab", max_size=40).map(str.encode),
    cuts=st.lists(st.integers(0, 40)),
)
@example(key=b"aba", body=b"ababaabab", cuts=[3, 5])
def test_any_chunking_gives_what_the_whole_would(key: bytes, body: bytes, cuts: list[int]) -> None:
    """Output is the overwritten whole, each length is kept, and fewer bytes than the key has are ever held."""
    scrub = PoolKeyScrub(key)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    out = b""
    for start, end in pairwise(edges):
        out += scrub.feed(body[start:end])
        held = body[len(out) : end]
        assert len(held) < len(key)
        assert key.startswith(held)
    out += scrub.finish()
    assert overwrite(body, key) == out


def test_nothing_is_held_that_cannot_begin_the_key() -> None:
    """A chunk whose end cannot be part of the key leaves whole and at once."""
    scrub = PoolKeyScrub(KEY)
    assert scrub.feed(b'{"error":"no"}') == b'{"error":"no"}'
    assert scrub.feed(b"sk-pro") == b""
    assert scrub.feed(b"digal") == b"sk-prodigal"
    assert scrub.finish() == b""


def test_an_echoed_key_leaves_as_stars_even_byte_by_byte() -> None:
    """A provider that echoes the key in one-byte chunks is overwritten all the same."""
    scrub = PoolKeyScrub(KEY)
    body = b"Incorrect API key: " + KEY + b"."
    out = b"".join(scrub.feed(body[i : i + 1]) for i in range(len(body))) + scrub.finish()
    assert out == b"Incorrect API key: " + b"*" * len(KEY) + b"."


def test_an_empty_key_cannot_be_scrubbed() -> None:
    """There is nothing to look for, which is a bug of the caller."""
    with pytest.raises(ValueError, match="empty"):
        PoolKeyScrub(b"")
