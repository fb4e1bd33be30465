"""Admission: the checks in the contract's order, and what an admitted request carries."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from playbook import BYO, KEY, POOL, SEED, Play, play_config, play_shared

from beyond_gateway import errors
from beyond_gateway.admit import BODY_CAP_BYTES, Admitted, Rules, admit
from beyond_gateway.deny.entries import DenySet
from beyond_gateway.errors import Refusal
from beyond_gateway.managed_key import Identity, mint
from beyond_gateway.rules import build_rules

# In the contract's order: what a request does wrong, and the answer that it gets.
ANSWERS = {
    "host": (400, "a request needs exactly one Host field"),
    "route": (404, "unknown provider"),
    "missing": (401, "missing API key"),
    "rate": (429, "rate limit exceeded"),
    "cap": (413, "request body too large"),
    "forged": (401, "invalid API key"),
    "denied": (402, "tenant is over limit or suspended"),
    "endpoint": (404, "endpoint not available to managed keys"),
    "pool": (503, "no provider key available"),
    "breaker": (503, "provider temporarily unavailable"),
}
FAULTS = list(ANSWERS)
SETS = [faults for size in (1, 2, 3) for faults in combinations(FAULTS, size)]
LIMIT = 3
# What fails which of the last two checks: openai neither, together has no key, anthropic rests, groq both.
PROVIDERS: dict[tuple[str, ...], bytes] = {
    (): b"openai",
    ("pool",): b"together",
    ("breaker",): b"anthropic",
    ("pool", "breaker"): b"groq",
}


def key(faults: tuple[str, ...]) -> bytes:
    """A managed key of a denied or of a good tenant, forged or not, that asks too often or not."""
    if "missing" in faults:
        return b""
    token = mint(SEED, 1, 2 if "denied" in faults else 1, 1, 5 if "rate" in faults else None).encode()
    return token[:-4] + b"AAAA" if "forged" in faults else token


def head(
    faults: tuple[str, ...] = (), *, target: bytes = b"", credential: bytes | None = None, length: int = 10
) -> bytes:
    """A request's head with these faults and no others."""
    name = b"nobody" if "route" in faults else PROVIDERS[tuple(one for one in faults if one in ("pool", "breaker"))]
    path = b"/v1/files" if "endpoint" in faults else b"/v1/chat/completions"
    credential = key(faults) if credential is None else credential
    lines = [b"POST %b HTTP/1.1" % (target or b"/%b%b" % (name, path))]
    lines += [] if "host" in faults else [b"Host: gw"]
    lines += [b"Authorization: Bearer %b" % credential] if credential else []
    lines += [b"Content-Length: %d" % (BODY_CAP_BYTES + 1 if "cap" in faults else length), b"", b""]
    return b"\r\n".join(lines)


SETTINGS: dict[str, Any] = {"rate_limit_rps": LIMIT, "circuit_breaker_threshold": 1}


def arrange(rules: Rules, now: float) -> None:
    """Bring about what the later checks look at: keys that have used up their second, a denied tenant, two breakers."""
    rules.denied.apply(b"blackhole.2", b"spend", 1)
    for faults in [("rate", *more) for more in ((), ("forged",), ("denied",), ("forged", "denied"))]:
        for _ in range(LIMIT):
            assert not rules.guard.over(hash(key(faults)), now, managed=True)
    for name in ("anthropic", "groq"):
        rules.lanes[name].breaker.failure(now, probe=False)


def made_rules(**settings: Any) -> Rules:
    config = play_config(**settings)
    return build_rules(config, play_shared(config), DenySet())


def verdict(request: bytes) -> Refusal | Admitted:
    rules = made_rules()
    asked, length = rules.heads.read(request)
    return admit(asked, length, rules, 0.0)


@pytest.mark.parametrize("faults", SETS, ids="+".join)
def test_the_first_fault_of_any_set_gives_the_answer(faults: tuple[str, ...]) -> None:
    """One fault, two or three together: over the wire, status and message are those of the first in the order."""
    with Play(**SETTINGS) as play:
        arrange(play.gateway.rules, play.clock)
        play.client_sends(head(faults)).client_gets_error(*ANSWERS[faults[0]]).no_row()


def test_a_request_without_a_fault_is_admitted_beside_all_that() -> None:
    """The limit, the denied tenant and the resting providers of others are nothing to it."""
    rules = made_rules(**SETTINGS)
    arrange(rules, 0.0)
    asked, length = rules.heads.read(head())
    assert isinstance(admit(asked, length, rules, 0.0), Admitted)


def test_a_callers_own_key_meets_limit_and_breaker_but_not_the_deny_set() -> None:
    """Rate guard, cap and breaker are for everybody."""
    rules = made_rules(**SETTINGS)
    arrange(rules, 0.0)
    for target, wanted in ((b"/openai/v1/x", None), (b"/anthropic/v1/x", 503)):
        asked, length = rules.heads.read(head(target=target, credential=BYO))
        result = admit(asked, length, rules, 0.0)
        assert (result.status if isinstance(result, Refusal) else None) == wanted
    asked, length = rules.heads.read(head(target=b"/openai/v1/x", credential=BYO))
    answers = [admit(asked, length, rules, 0.0) for _ in range(LIMIT)]
    assert answers[-1] is errors.RATE_LIMITED


def test_after_its_rest_a_provider_gets_one_probe() -> None:
    """One request goes out as the probe, the next is still refused; the probe's success lets all in."""
    rules = made_rules(**SETTINGS)
    arrange(rules, 0.0)
    asked, length = rules.heads.read(head(("breaker",)))
    refused = admit(asked, length, rules, 1.0)
    assert isinstance(refused, Refusal)
    assert refused.retry_after == 29
    probe = admit(asked, length, rules, 30.5)
    assert isinstance(probe, Admitted)
    assert probe.probe
    assert isinstance(admit(asked, length, rules, 30.6), Refusal)
    probe.lane.breaker.success(31.0, probe=True)
    later = admit(asked, length, rules, 31.1)
    assert isinstance(later, Admitted)
    assert not later.probe


def test_a_managed_request_gets_identity_and_pool_key() -> None:
    """What the row needs and what the provider needs."""
    result = verdict(head())
    assert isinstance(result, Admitted)
    assert result.identity == Identity(1, 1, 1, None)
    assert result.pool_key is not None
    assert result.pool_key.value == POOL
    assert result.lane.provider.name == result.route.provider.name == "openai"


def test_a_callers_own_key_needs_neither_endpoint_nor_pool_key() -> None:
    """A caller's own key goes anywhere, also where we hold no key, but no body above the cap goes with it."""
    result = verdict(head(target=b"/groq/openai/v1/files", credential=BYO))
    assert isinstance(result, Admitted)
    assert (result.identity, result.pool_key) == (None, None)
    assert verdict(head(credential=BYO, length=BODY_CAP_BYTES + 1)) is errors.BODY_TOO_LARGE
    assert isinstance(verdict(head(credential=BYO, length=BODY_CAP_BYTES)), Admitted)


def test_pool_keys_take_turns_and_only_for_those_admitted() -> None:
    """Two keys alternate; a refused request does not use up a turn."""
    keys = play_config().pool_keys["openai"]
    rules = made_rules(pool_keys={"openai": (keys[0], type(keys[0])("sk-two"))})
    seen: list[bytes] = []
    for _ in range(4):
        for token in (KEY, KEY[:-4] + b"AAAA"):
            asked, length = rules.heads.read(head(credential=token))
            result = admit(asked, length, rules, 0.0)
            if isinstance(result, Admitted) and result.pool_key:
                seen.append(result.pool_key.value)
    assert seen == [POOL, b"sk-two", POOL, b"sk-two"]


def test_a_draining_gateway_refuses_before_anything_else() -> None:
    """While it drains, every new request is told to come back."""
    with Play() as play:
        play.client_sends(head(())[:10])
        play.gateway.draining = True
        play.client_sends(head(())[10:]).client_gets_error(503, "gateway is draining").no_row()
