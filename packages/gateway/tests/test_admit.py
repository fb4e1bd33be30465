"""Admission: the checks in the contract's order, and what an admitted request carries."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playbook import BYO, KEY, POOL, Play, play_config

from beyond_gateway import errors
from beyond_gateway.admit import BODY_CAP_BYTES, Admitted, Rules, admit
from beyond_gateway.errors import Refusal
from beyond_gateway.gateway import build_rules
from beyond_gateway.managed_key import Identity


class Request(NamedTuple):
    """A request by what it does wrong."""

    host: bytes = b"Host: gw\r\n"
    target: bytes = b"/openai/v1/chat/completions"
    key: bytes = KEY
    length: int = 10


# In the contract's order: one fault each, and the answer that it gets.
FAULTS: list[tuple[dict[str, Any], int]] = [
    ({"host": b""}, 400),
    ({"target": b"/nobody/v1/files"}, 404),
    ({"key": b""}, 401),
    ({"length": BODY_CAP_BYTES + 1}, 413),
    ({"key": KEY[:-4] + b"AAAA"}, 401),
    ({"target": b"/openai/v1/files"}, 404),
    ({"target": b"/groq/openai/v1/chat/completions"}, 503),
]
MESSAGES = [
    "a request needs exactly one Host field",
    "unknown provider",
    "missing API key",
    "request body too large",
    "invalid API key",
    "endpoint not available to managed keys",
    "no provider key available",
]
# Two faults of the same part of a request, as one value that has both.
BOTH: dict[tuple[int, int], dict[str, Any]] = {(5, 6): {"target": b"/groq/openai/v1/files"}}


def head(request: Request) -> bytes:
    key = b"Authorization: Bearer %b\r\n" % request.key if request.key else b""
    length = b"Content-Length: %d\r\n\r\n" % request.length
    return b"POST %b HTTP/1.1\r\n%b%b%b" % (request.target, request.host, key, length)


def verdict(request: Request) -> Refusal | Admitted:
    rules = build_rules(play_config())
    asked, length = rules.heads.read(head(request))
    return admit(asked, length, rules, 0.0)


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=MESSAGES)
def test_each_fault_alone_gets_its_answer(number: int) -> None:
    """One fault, one status and one message, over the wire."""
    changes, status = FAULTS[number]
    with Play() as play:
        play.client_sends(head(Request(**changes))).client_gets_error(status, MESSAGES[number]).no_row()


@pytest.mark.parametrize(("earlier", "later"), list(pairwise(range(len(FAULTS)))), ids=MESSAGES[1:])
def test_of_two_adjacent_faults_the_earlier_gives_the_answer(earlier: int, later: int) -> None:
    """A request with both faults is answered as if it had the earlier one only."""
    changes = BOTH.get((earlier, later), FAULTS[later][0] | FAULTS[earlier][0])
    with Play() as play:
        play.client_sends(head(Request(**changes))).client_gets_error(FAULTS[earlier][1], MESSAGES[earlier]).no_row()


@given(st.sets(st.integers(1, 6)))
def test_the_first_fault_of_any_set_gives_the_answer(faults: set[int]) -> None:
    """Faults in any combination: the answer is the first one's."""
    changes: dict[str, Any] = {}
    for number in sorted(faults, reverse=True):
        changes |= FAULTS[number][0]
    present = {number for number in faults if FAULTS[number][0].items() <= changes.items()}
    result = verdict(Request(**changes))
    if faults:
        assert isinstance(result, Refusal)
        assert result.message == MESSAGES[min(present)]
    else:
        assert isinstance(result, Admitted)


def test_a_managed_request_gets_identity_and_pool_key() -> None:
    """What the row needs and what the provider needs."""
    result = verdict(Request())
    assert isinstance(result, Admitted)
    assert result.identity == Identity(1, 1, 1, None)
    assert result.pool_key is not None
    assert result.pool_key.value == POOL
    assert result.lane.provider.name == result.route.provider.name == "openai"


def test_a_callers_own_key_needs_neither_endpoint_nor_pool_key() -> None:
    """A caller's own key goes anywhere, also where we hold no key, but no body above the cap goes with it."""
    result = verdict(Request(target=b"/groq/openai/v1/files", key=BYO))
    assert isinstance(result, Admitted)
    assert (result.identity, result.pool_key) == (None, None)
    assert verdict(Request(key=BYO, length=BODY_CAP_BYTES + 1)) is errors.BODY_TOO_LARGE
    assert isinstance(verdict(Request(key=BYO, length=BODY_CAP_BYTES)), Admitted)


def test_pool_keys_take_turns_and_only_for_those_admitted() -> None:
    """Two keys alternate; a refused request does not use up a turn."""
    keys = play_config().pool_keys["openai"]
    rules: Rules = build_rules(play_config(pool_keys={"openai": (keys[0], type(keys[0])("sk-two"))}))
    seen: list[bytes] = []
    for _ in range(4):
        for key in (KEY, KEY[:-4] + b"AAAA"):
            asked, length = rules.heads.read(head(Request(key=key)))
            result = admit(asked, length, rules, 0.0)
            if isinstance(result, Admitted) and result.pool_key:
                seen.append(result.pool_key.value)
    assert seen == [POOL, b"sk-two", POOL, b"sk-two"]


def test_a_draining_gateway_refuses_before_anything_else() -> None:
    """While it drains, every new request is told to come back."""
    with Play() as play:
        play.client_sends(head(Request())[:10])
        play.gateway.draining = True
        play.client_sends(head(Request())[10:]).client_gets_error(503, "gateway is draining").no_row()
