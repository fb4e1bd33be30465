"""The checks before the first byte goes to a provider, in the contract's order: the first that fails gives the answer.

Pure: what a head asks for and the worker's rules in, admitted or refused out, as a value. Cheap checks stand before
dear ones and none reads the body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_gateway import errors
from beyond_gateway.errors import Refusal
from beyond_gateway.guards.breaker import PROBE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_gateway.asked import Asked, Heads
    from beyond_gateway.deny.entries import DenySet
    from beyond_gateway.guards.rate import RateGuard
    from beyond_gateway.lane import Lane, PoolKey
    from beyond_gateway.managed_key import Identity
    from beyond_gateway.route import Route
    from beyond_gateway.verified import VerifiedKeys

BODY_CAP_BYTES: Final = 100 * 1024 * 1024
"""Largest request body (gateway contract, order of a request, step 5)."""


class Rules(NamedTuple):
    """What admission reads: replaced as one when the configuration is."""

    heads: Heads
    lanes: Mapping[str, Lane]
    verified: VerifiedKeys
    guard: RateGuard
    denied: DenySet


class Admitted(NamedTuple):
    """A request that may go out. `identity` and `pool_key` are None for a caller's own key.

    `probe` marks the one request that tries a provider whose breaker is open; its lane's breaker must hear how it went.
    """

    lane: Lane
    route: Route
    identity: Identity | None = None
    pool_key: PoolKey | None = None
    probe: bool = False


def admit(asked: Asked, length: int, rules: Rules, now: float) -> Admitted | Refusal:
    """Decide one request. `length` is its body's declared length, `now` monotonic seconds.

    Blocks only for the signature check of a key not seen before.
    """
    routed = asked.routed
    if isinstance(routed, Refusal):
        return routed
    credential = asked.credential
    if credential is None:
        return errors.MISSING_KEY
    if rules.guard.over(asked.rate_key, now, managed=credential.managed):
        return errors.RATE_LIMITED
    if length > BODY_CAP_BYTES:
        return errors.BODY_TOO_LARGE
    lane = rules.lanes[routed.provider.name]
    identity: Identity | None = None
    pool_key: PoolKey | None = None
    if credential.managed:
        verdict = rules.verified.check(credential.value, now)
        if isinstance(verdict, Refusal):
            return verdict
        identity = verdict
        refusal = rules.denied.refusal(identity) or asked.refusal
        if refusal is not None:
            return refusal
        pool_key = lane.next_key()
        if pool_key is None:
            return errors.NO_PROVIDER_KEY
    wait_s = lane.breaker.ask(now)
    if wait_s > 0:
        return errors.breaker_open(wait_s)
    return Admitted(lane, routed, identity, pool_key, wait_s == PROBE)
