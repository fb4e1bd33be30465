"""What admission reads, made from a configuration, and made anew when that changes under running traffic.

What costs something to have again is kept over a change: connections to a provider that is reached as before, the
memory of verified keys under a kid that still holds, the state of breakers and rate windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_gateway.admit import Rules
from beyond_gateway.asked import Heads
from beyond_gateway.endpoints import Endpoints
from beyond_gateway.guards.breaker import Breaker
from beyond_gateway.guards.rate import RateGuard
from beyond_gateway.lane import Lane
from beyond_gateway.managed_key import keyring
from beyond_gateway.providers import build_table
from beyond_gateway.verified import VerifiedKeys

if TYPE_CHECKING:
    from beyond_gateway.config import Config
    from beyond_gateway.deny.entries import DenySet
    from beyond_gateway.host.shared import Shared
    from beyond_gateway.providers import Provider


def build_rules(config: Config, shared: Shared, denied: DenySet) -> Rules:
    """Return the first rules of a worker. Raises OperatorError for what cannot be used."""
    providers = build_table(config)
    return Rules(
        heads=Heads(providers, Endpoints(config.managed_endpoints)),
        lanes={row.name: _lane(row, config, shared) for row in providers.values()},
        verified=VerifiedKeys(keyring(config.signing_keys)),
        guard=RateGuard(shared.rate, config.rate_limit_rps, config.byo_rate_limit_rps),
        denied=denied,
    )


def next_rules(old: Rules, config: Config, shared: Shared, *, same_tls: bool) -> Rules:
    """Return the rules that follow `old`, which is not used for admission any more.

    Connections to providers that are gone or reached otherwise are closed as they come free. Raises OperatorError, and
    then `old` still holds.
    """
    providers = build_table(config)
    public_keys = keyring(config.signing_keys)
    lanes = {row.name: _lane(row, config, shared) for row in providers.values()}
    for name, lane in old.lanes.items():
        follower = lanes.get(name)
        if follower is not None and same_tls and follower.provider == lane.provider:
            follower.idle = lane.idle
        else:
            lane.retire()
    old.verified.replace_keyring(public_keys)
    old.guard.set_limits(config.rate_limit_rps, config.byo_rate_limit_rps)
    return old._replace(heads=Heads(providers, Endpoints(config.managed_endpoints)), lanes=lanes)


def _lane(provider: Provider, config: Config, shared: Shared) -> Lane:
    index = shared.index(provider.name)
    breaker = Breaker(
        shared.breaker(index),
        config.circuit_breaker_threshold,
        config.circuit_breaker_window_secs,
        config.circuit_breaker_reset_secs,
    )
    return Lane(provider, config.pool_keys.get(provider.name, ()), breaker, index)
