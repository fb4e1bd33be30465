"""The checks before the first byte goes to a provider, in the contract's order: the first that fails gives the answer.

Pure: a request head and the worker's state in, admitted or refused out, as a value. Cheap checks stand before dear ones
and none reads the body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_gateway import errors
from beyond_gateway.credentials import contains_managed, find, strip_target
from beyond_gateway.endpoints import is_chat, is_free
from beyond_gateway.errors import Refusal
from beyond_gateway.route import Route, route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_gateway.endpoints import Endpoints
    from beyond_gateway.head_rules import RequestHead
    from beyond_gateway.lane import Lane, PoolKey
    from beyond_gateway.managed_key import Identity
    from beyond_gateway.providers import Dialect, Provider
    from beyond_gateway.verified import VerifiedKeys

BODY_CAP_BYTES: Final = 100 * 1024 * 1024
"""Largest request body (gateway contract, order of a request, step 5)."""

_KEY_IN_TARGET: Final = errors.bad_request(
    "a managed key stands in the request target; send it as a header", "key_in_target"
)


class Rules(NamedTuple):
    """What admission reads: replaced as one when the configuration is."""

    providers: Mapping[bytes, Provider]
    lanes: Mapping[str, Lane]
    endpoints: Endpoints
    verified: VerifiedKeys


class Admitted(NamedTuple):
    """A request that may go out. `identity` and `pool_key` are None for a caller's own key.

    `path` is what the provider sees, with its query. `holds_body` says that the body is read whole before it is sent
    on; `free` that a row is written only where the provider reports usage.
    """

    lane: Lane
    path: bytes
    dialect: Dialect
    identity: Identity | None = None
    pool_key: PoolKey | None = None
    holds_body: bool = False
    free: bool = False


def admit(head: RequestHead, rules: Rules, now: float) -> Admitted | Refusal:
    """Decide one request. `now` is monotonic seconds; may block for one signature check of a key not seen before."""
    credential = find(head.fields, head.target.partition(b"?")[2])
    routed = route(head.target, rules.providers, credential)
    if isinstance(routed, Refusal):
        return routed
    if credential is None:
        return errors.MISSING_KEY
    if head.length > BODY_CAP_BYTES:
        return errors.BODY_TOO_LARGE
    lane = rules.lanes[routed.provider.name]
    if not credential.managed:
        return Admitted(lane, routed.path, routed.dialect)
    identity = rules.verified.check(credential.value, now)
    if isinstance(identity, Refusal):
        return identity
    return _admit_managed(head, routed, rules, identity, lane)


def _admit_managed(
    head: RequestHead, routed: Route, rules: Rules, identity: Identity, lane: Lane
) -> Admitted | Refusal:
    refusal = rules.endpoints.refusal(head.method, routed.endpoint)
    if refusal is not None:
        return refusal
    path = routed.path
    if path != routed.endpoint:
        path = strip_target(path)
        if contains_managed(path):
            return _KEY_IN_TARGET
    pool_key = lane.next_key()
    if pool_key is None:
        return errors.NO_PROVIDER_KEY
    return Admitted(
        lane,
        path,
        routed.dialect,
        identity,
        pool_key,
        holds_body=routed.dialect == "openai" and is_chat(routed.endpoint) and head.length != 0,
        free=is_free(routed.endpoint),
    )
