"""The checks before the first byte goes to a provider, in the contract's order: the first that fails gives the answer.

Pure: what a head asks for and the worker's rules in, admitted or refused out, as a value. Cheap checks stand before
dear ones and none reads the body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_gateway import errors
from beyond_gateway.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_gateway.asked import Asked, Heads
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


class Admitted(NamedTuple):
    """A request that may go out. `identity` and `pool_key` are None for a caller's own key."""

    lane: Lane
    route: Route
    identity: Identity | None = None
    pool_key: PoolKey | None = None


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
    if length > BODY_CAP_BYTES:
        return errors.BODY_TOO_LARGE
    lane = rules.lanes[routed.provider.name]
    if not credential.managed:
        return Admitted(lane, routed)
    identity = rules.verified.check(credential.value, now)
    if isinstance(identity, Refusal):
        return identity
    if asked.refusal is not None:
        return asked.refusal
    pool_key = lane.next_key()
    if pool_key is None:
        return errors.NO_PROVIDER_KEY
    return Admitted(lane, routed, identity, pool_key)
