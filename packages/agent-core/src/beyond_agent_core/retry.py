"""Whether a failed model call is tried again, after how long, and as what: from the fault and the counts alone.

Three kinds, each with its own count. A connect failure came before the first byte of an answer, a stream failure after
it. When one of the two is used up, a round begins: a longer wait, then the turn afresh with new counts. Figures:
agent-core contract, failure and retry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from beyond_agent_core.events import Phase

if TYPE_CHECKING:
    from beyond_agent_core.errors import RunFault

ROUNDS: Final = 3
LONGEST_S: Final[dict[str, float]] = {"connect": 10.0, "stream": 5.0, "round": 30.0}
FIRST_ROUND_S: Final = 2.0
LONGEST_WAIT_S: Final = 60.0
"""A provider that asks for a longer wait is not waited for."""
JITTER: Final = 0.25


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What of it may be set: retries of either kind within a round, 0 for none at all, and the first of their waits."""

    max_retries: int = 3
    base_delay_s: float = 0.25


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """A further attempt: number `attempt` of `most` of its kind, after `seconds`."""

    phase: Phase
    attempt: int
    most: int
    seconds: float


STANDARD: Final = RetryPolicy()


class Counts(msgspec.Struct, kw_only=True):
    """Retries so far of one turn; a committed turn begins with new ones."""

    connect: int = 0
    stream: int = 0
    round: int = 0


def next_attempt(fault: RunFault, counts: Counts, chance: float, policy: RetryPolicy = STANDARD) -> Retry | None:
    """Return the next attempt, counted in `counts`, or None: the fault is final.

    `chance` from 0 to 1 sets the jitter. A provider's own wait is never undercut, and above a minute is a no.
    """
    most = policy.max_retries
    if most == 0 or not fault.transient or (fault.retry_after or 0.0) > LONGEST_WAIT_S:
        return None
    phase: Phase = "stream" if fault.started else "connect"
    tried = counts.stream if fault.started else counts.connect
    if tried < most:
        if fault.started:
            counts.stream += 1
        else:
            counts.connect += 1
        wait = min(LONGEST_S[phase], policy.base_delay_s * 2**tried)
        return Retry(phase=phase, attempt=tried + 1, most=most, seconds=_jittered(wait, fault, chance))
    if counts.round < ROUNDS:
        wait = min(LONGEST_S["round"], FIRST_ROUND_S * 2**counts.round)
        counts.round += 1
        counts.connect = counts.stream = 0
        return Retry(phase="round", attempt=counts.round, most=ROUNDS, seconds=_jittered(wait, fault, chance))
    return None


def _jittered(wait: float, fault: RunFault, chance: float) -> float:
    return max(fault.retry_after or 0.0, wait) * (1 + JITTER * chance)
