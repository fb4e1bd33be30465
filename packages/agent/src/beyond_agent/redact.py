"""Keep keys out of what people read: logs, errors, exports.

A key becomes `***`, because its length is a hint too. Texts that only look like a key become so as well: what is
shown less costs little, what is shown too much cannot be taken back. Contract: agent contract, model routing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK: Final = "***"
SHORTEST: Final = 6
"""Characters from which on a given secret is masked: a shorter one protects nothing, and is in every other word."""

_KEYS: Final = re.compile(r"bai_v[0-9][\w.-]*|(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt]))sk-[\w-]{12,}", re.ASCII)
_URL_USER: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with each key in it replaced by `***`: managed keys, `sk-` keys, users in URLs, and `secrets`.

    A secret is found as it is and as JSON writes it. The longest go first: one that begins like another leaves no tail.
    """
    forms = {form for secret in secrets if len(secret) >= SHORTEST for form in (secret, _in_json(secret))}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MASK)
    return _URL_USER.sub(MASK, _KEYS.sub(MASK, text))


def _in_json(secret: str) -> str:
    return secret.replace("\\", "\\\\").replace('"', '\\"')
