"""Keep secrets out of what people read: wrapped in values, masked in text, overwritten in provider answers.

Lengths survive only in provider answers, where Content-Length has already been promised; everywhere else a secret
becomes `***`, since its length is a hint too.
"""

import re
from collections.abc import Iterable

MASK = "***"
_MANAGED = re.compile(r"bai_v[\w.-]+", re.IGNORECASE)
_URL_USER = re.compile(r"(?<=//)[^/@\s]+(?=@)")


class Secret:
    """A text whose repr, str and format are all `***`; only `reveal()` gives it back. Equal when the texts are."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself; called only where it goes on the wire."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def redact(text: str | bytes, secrets: Iterable[Secret] = ()) -> str:
    """Text with each of `secrets`, each managed key and each user part of a URL replaced by `***`.

    Bytes are read as UTF-8, undecodable ones escaped. Longer secrets go first: one that begins like another leaves no
    tail. For the rim of logs and dumps, not for the relay path.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    for secret in sorted((secret.reveal() for secret in secrets), key=len, reverse=True):
        if secret:
            text = text.replace(secret, MASK)
    return _URL_USER.sub(MASK, _MANAGED.sub(MASK, text))


def overwrite(data: bytes, pool_key: bytes) -> bytes:
    """Return as many bytes, with every occurrence of `pool_key` turned into `*`: for a header value or a whole body."""
    return data.replace(pool_key, b"*" * len(pool_key)) if pool_key else data


class PoolKeyScrub:
    """Overwrites a pool key in a provider's error body as it passes, in any chunking, keeping every length.

    A key may be cut by a chunk border, so the end of a chunk is held back while it could still be the beginning of a
    key: at most `len(key) - 1` bytes, and none when it cannot be. The output equals `overwrite` of the whole body.
    """

    __slots__ = ("_first", "_held", "_key", "_stars")

    def __init__(self, pool_key: bytes) -> None:
        if not pool_key:
            raise ValueError("an empty pool key cannot be scrubbed")
        self._key = pool_key
        self._first = pool_key[:1]
        self._stars = b"*" * len(pool_key)
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Bytes that may go to the client now; what is held comes with a later call or with `finish`."""
        # split() matches leftmost first, as replace() does; only what follows the last match may begin another.
        *before, rest = (self._held + chunk).split(self._key)
        keep = self._prefix_at_end(rest)
        self._held = rest[len(rest) - keep :]
        return self._stars.join([*before, rest[: len(rest) - keep]])

    def finish(self) -> bytes:
        """Bytes still held, at the end of the body: they turned out to be no key."""
        held, self._held = self._held, b""
        return held

    def _prefix_at_end(self, rest: bytes) -> int:
        """Length of the longest end of `rest` that is a proper beginning of the key."""
        at = rest.find(self._first, max(0, len(rest) - len(self._key) + 1))
        while at >= 0:
            if self._key.startswith(rest[at:]):
                return len(rest) - at
            at = rest.find(self._first, at + 1)
        return 0
