"""What the section `guards` times: each a turn of BATCH calls in a state of its own, checked once before."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, cycle

from bench.gateway import KID, SEED
from bench.load import LoadFailedError
from beyond_gateway.guards.breaker import Breaker
from beyond_gateway.guards.rate import RateGuard
from beyond_gateway.host.shared import Shared
from beyond_gateway.managed_key import Identity, keyring, mint, signing_key
from beyond_gateway.metrics.exposition import Exposition
from beyond_gateway.metrics.worker import WorkerMetrics
from beyond_gateway.verified import VerifiedKeys
from beyond_wire import UsageFacts

Turn = Callable[[], object]

# Calls made in one go, so that what is timed is the call and not the timing.
BATCH = 1_000
# Keys that come in turn where each call has another.
CROWD = 50_000
# An odd multiplier spreads counted numbers over all 64 bits; a hash of Python's has 61 of them.
SPREAD, HASH_BITS = 0x9E3779B97F4A7C15, 2**61 - 1
SCRAPED = ("openai", "anthropic", "groq", "mistral")
HIGH = 1_000_000


def _batch(call: Callable[[], object]) -> Turn:
    def turn() -> None:
        for _ in range(BATCH):
            call()

    return turn


def remembered() -> Turn:
    """One key that the worker knows."""
    verified, token = _verifier(65_536), mint(SEED, KID, 1, 1).encode()
    if not isinstance(verified.check(token, 0.0), Identity):
        raise LoadFailedError("a key that we minted does not verify")
    return _batch(lambda: verified.check(token, 0.0))


def first_sight() -> Turn:
    """More keys in turn than are remembered, so that each is new again when it comes."""
    verified = _verifier(2)
    tokens = cycle([mint(SEED, KID, tenant, 1).encode() for tenant in range(BATCH)])
    return _batch(lambda: verified.check(next(tokens), 0.0))


def _verifier(entries: int) -> VerifiedKeys:
    public = bytes(signing_key(SEED).verify_key)
    return VerifiedKeys(keyring({KID: public}), entries=entries, checks_per_second=2**62)


def rate(*, same: bool) -> Turn:
    """A thousand requests in a second of their own: no limit is reached, and no set is full of that second's keys."""
    guard, seconds = RateGuard(Shared().rate, HIGH, HIGH), count(1)
    hashes = cycle(
        [[(1 if same else at + n) * SPREAD & HASH_BITS for n in range(BATCH)] for at in range(0, CROWD, BATCH)]
    )

    def turn() -> None:
        now, over = float(next(seconds)), guard.over
        for key in next(hashes):
            if over(key, now, managed=True):
                raise LoadFailedError("the rate guard stopped a request below its limit")

    return turn


def breaker() -> Turn:
    """A thousand requests in each tenth of a second."""
    guard, numbers = Breaker(Shared().breaker(1), 20, 10.0, 30.0), count(1)

    def turn() -> None:
        now, ask, success = next(numbers) / 10, guard.ask, guard.success
        for _ in range(BATCH):
            if ask(now):
                raise LoadFailedError("the breaker stopped a request without a failure")
            success(now, probe=False)

    return turn


FACTS = UsageFacts(wire="openai", input_tokens=19, output_tokens=10, cache_read_tokens=0, reasoning_tokens=0)


def _request(metrics: WorkerMetrics, provider: int) -> None:
    """All that one ordinary managed request is counted by."""
    metrics.began()
    metrics.admitted_managed()
    metrics.responded(provider, 200, 0.2)
    metrics.ttft(provider, 0.3)
    metrics.settled("ok", 0.00004)
    metrics.tokens(FACTS)
    metrics.rows_written(1)


def metrics() -> Turn:
    """An ordinary managed request."""
    worker = WorkerMetrics(Shared().metrics(0))
    return _batch(lambda: _request(worker, 1))


def scrape() -> Turn:
    """One scrape of two workers' metrics, not BATCH of them."""
    shared = Shared(2)
    shared.register(SCRAPED)
    for slot in range(shared.workers):
        worker = WorkerMetrics(shared.metrics(slot))
        for name in SCRAPED:
            _request(worker, shared.index(name))
    breakers: dict[str, bool] = dict.fromkeys(SCRAPED, False)
    exposition = Exposition(shared.all_metrics(), version="0", providers=shared.names, breakers=lambda: breakers)
    _, page = exposition.render(b"")
    if b"ai_requests_total 8.0" not in page:
        raise LoadFailedError("a scrape does not show what was counted")
    return lambda: exposition.render(b"")
