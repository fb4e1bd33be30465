"""Credentials taken out of text that a provider wrote: some providers quote the key they refuse."""

from __future__ import annotations

import re

# Two shapes cover what providers echo: a token behind its scheme, and a key behind one of the known prefixes (OpenAI,
# Anthropic and most others `sk-`, Groq `gsk_`, xAI `xai-`, Google `AIza`, Beyond `bai_`), starred in the middle or not.
_CREDENTIAL = re.compile(
    r"\b(?:bearer|basic)\s+(?=\S*\d|\S{16})[\w.~+/=*-]{7,}[\w=*-]"
    r"|\b(?:(?:sk|pk|rk|gsk|xai|bai|hf|nvapi)[-_]|AIza)[\w.*-]{5,}[\w*-]",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """`text` with everything that looks like a credential replaced by `[redacted]`."""
    return _CREDENTIAL.sub("[redacted]", text)
