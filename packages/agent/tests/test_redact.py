from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_agent.redact import MASK, redact

MANAGED = "bai_v1.k1.eyJ0IjoidCJ9.c2lnbmF0dXJl"
PROVIDER = "sk-ant-api03-AAAABBBBCCCC_dddd"


@pytest.mark.parametrize("key", [MANAGED, "bai_v2.x.y.z", PROVIDER, "sk-proj-0123456789ab"])
@pytest.mark.parametrize("around", ["{}", "key={}", "Bearer {}\n", '"{}"', "({}),", r'"line\n{}"', "a/{}/b"])
def test_a_key_is_masked_wherever_it_stands(key: str, around: str) -> None:
    """Managed and provider keys are found in prose, headers, JSON and URLs, also where nobody named them."""
    shown = redact(around.format(key))
    assert key[:12] not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    "text", ["task-management-system", "a risk-free-proposition", "sk-short", "bai_value", "mask-1"]
)
def test_words_that_only_look_alike_stay(text: str) -> None:
    """A word that ends like a key's prefix is left alone."""
    assert redact(text) == text


def test_given_secrets_are_masked_as_they_are_and_as_json_writes_them() -> None:
    """A secret with quotes is found in a JSON text as well, and one that begins like another leaves no tail."""
    secret = 'pass"word\\1'
    text = secret + msgspec.json.encode({"key": secret}).decode() + "secret-longer"
    assert redact(text, [secret, "secret", "secret-longer"]) == f'{MASK}{{"key":"{MASK}"}}{MASK}'


def test_an_empty_or_tiny_secret_masks_nothing() -> None:
    """A variable that is set to nothing must not turn every text into stars."""
    assert redact("a fine text", ["", "a", "fine"]) == "a fine text"


def test_the_user_of_a_url_is_masked() -> None:
    """A proxy's or a gateway's credentials stand in its URL."""
    assert redact("see http://me:pass@host:1/x") == f"see http://{MASK}@host:1/x"
    assert redact("http://host/a@b") == "http://host/a@b"


@given(st.text("xyz \n"), st.text("xyz \n"), st.text('ab"\\é*', min_size=6))
def test_a_secret_is_replaced_in_any_text(before: str, after: str, secret: str) -> None:
    """Whatever a secret is made of and whatever stands around it, all of it is gone and nothing else is."""
    assert redact(before + secret + after, [secret]) == before + MASK + after
