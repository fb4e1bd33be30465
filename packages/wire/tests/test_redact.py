"""Redaction leaves words alone."""

from __future__ import annotations

import pytest

from beyond_wire.redact import redacted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "task-force sk-1",
        "ask_someone_else",
        "the bearer of news",
        "Bearer authentication failed",
        "disk-usage-report",
    ],
)
def test_words_stay(text: str) -> None:
    """Text that only resembles a key is left as it is."""
    assert redacted(text) == text


def test_each_key_goes() -> None:
    """All keys of a text go, and only they."""
    assert redacted("a sk-12345678, b xai-12345678 c") == "a [redacted], b [redacted] c"
