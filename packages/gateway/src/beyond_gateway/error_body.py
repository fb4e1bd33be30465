"""The pool key in a provider's error body, when that body came compressed although identity was asked for.

A key in compressed bytes cannot be overwritten in place. So the client gets the decoded body, scrubbed; where the
coding is none that we decode, or a bomb, it gets no body: an error without its text is better than a leaked key.
"""

from __future__ import annotations

from beyond_gateway.inflate import Inflater
from beyond_gateway.redact import PoolKeyScrub


class CompressedErrorScrub:
    """Decodes an error body as it passes and overwrites the pool key in it; the same surface as PoolKeyScrub."""

    __slots__ = ("_inflater", "_scrub")

    def __init__(self, encoding: str, pool_key: bytes) -> None:
        self._inflater = Inflater(encoding)
        self._scrub = PoolKeyScrub(pool_key)

    def feed(self, chunk: bytes) -> bytes:
        """Return the decoded, scrubbed bytes that may go to the client now. Raises nothing."""
        return b"".join(self._scrub.feed(piece) for piece in self._inflater.feed(chunk))

    def finish(self) -> bytes:
        """Return what is held, at the end of the body."""
        return self._scrub.finish()
