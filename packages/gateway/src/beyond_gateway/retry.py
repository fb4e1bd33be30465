"""When a request may be sent to the provider a second time: only where it cannot have been processed.

A kept-alive connection may have been closed by the provider while our request was on its way: the loss then arrives
within a round trip, before any byte of an answer. That is the one case. On a fresh connection the provider was there
and took the request; and on a reused one that dies later than `STALE_WITHIN_S` it may have begun to work. Both are
answered 502, because a completion that is run twice is paid twice.
"""

from __future__ import annotations

from typing import Final, NamedTuple

KEPT_BYTES: Final = 1024 * 1024
"""Request bytes kept for a second sending, the same bound as the model scan's, so that one set of references serves."""
CONNECT_ATTEMPTS: Final = 3
"""One try and two more (gateway contract, relay)."""
STALE_WITHIN_S: Final = 1.0
"""A close that crossed our request is here within a round trip; a second is three of the slowest on earth."""


class Attempt(NamedTuple):
    """One sending that got no byte of an answer.

    On which kind of connection it went, whether every byte sent is still held, and how many seconds after it was sent
    the connection was lost.
    """

    reused: bool
    held: bool
    seconds: float


def may_send_again(attempt: Attempt) -> bool:
    """Return whether the request goes out once more: on a fresh connection, so that there is no third time."""
    return attempt.reused and attempt.held and attempt.seconds <= STALE_WITHIN_S
