"""The order of the checks is a contract: of several faults a request gets the answer to the earliest."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest
from stack import BYO_KEY, KEY, WAIT_S, chat, read_all, request, wait_for
from talk import values

if TYPE_CHECKING:
    from stack import Provider, Stack

pytestmark = pytest.mark.e2e


class Fault(NamedTuple):
    name: str
    status: int
    message: bytes


# In the order of the contract's steps.
ROUTE = Fault("route", 404, b"unknown provider")
MISSING = Fault("missing", 401, b"missing API key")
CAP = Fault("cap", 413, b"request body too large")
FORGED = Fault("forged", 401, b"invalid API key")
ENDPOINT = Fault("endpoint", 404, b"endpoint not available to managed keys")
METHOD = Fault("method", 405, b"endpoint not available to managed keys")
NO_POOL_KEY = Fault("pool", 503, b"no provider key available")
FAULTS = (ROUTE, MISSING, CAP, FORGED, ENDPOINT, METHOD, NO_POOL_KEY)
EXCLUSIVE = ({MISSING, FORGED}, {ENDPOINT, METHOD})
SETS = [
    chosen
    for size in range(1, len(FAULTS))
    for chosen in itertools.combinations(FAULTS, size)
    if not any(pair <= set(chosen) for pair in EXCLUSIVE)
]


def faulty(chosen: tuple[Fault, ...]) -> bytes:
    """A request's head with these faults and no others."""
    provider = "nobody" if ROUTE in chosen else "mistral" if NO_POOL_KEY in chosen else "openai"
    path = "files" if ENDPOINT in chosen else "chat/completions"
    lines = [f"{'PUT' if METHOD in chosen else 'POST'} /{provider}/v1/{path} HTTP/1.1", "Host: gateway"]
    if MISSING not in chosen:
        lines.append(f"Authorization: Bearer {KEY[:-2] + 'AA' if FORGED in chosen else KEY}")
    lines.append(f"Content-Length: {200_000_000 if CAP in chosen else 0}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


@pytest.mark.parametrize("chosen", SETS, ids=lambda chosen: "+".join(fault.name for fault in chosen))
def test_the_earliest_fault_answers(stack: Stack, provider: Provider, chosen: tuple[Fault, ...]) -> None:
    """Of every set of faults the first in the contract's order gives status and text; the provider sees nothing."""
    answer = stack.raw(faulty(chosen))
    assert answer.startswith(b"HTTP/1.1 %d " % chosen[0].status)
    assert b'"message":"%b"' % chosen[0].message in answer
    assert len(values(answer, b"x-beyond-request-id")[0]) == 32
    assert provider.requests() == []
    assert stack.rows(0) == []


def test_the_sets_cover_each_adjacent_pair() -> None:
    """The table above has every two neighbours of the order that one request can fail both of."""
    pairs = [set(pair) for pair in itertools.pairwise(FAULTS)]
    assert [pair for pair in pairs if tuple(sorted(pair, key=FAULTS.index)) not in SETS] == [{ENDPOINT, METHOD}]


@pytest.mark.parametrize("key", [KEY, BYO_KEY, KEY[:-2] + "AA"])
def test_413_comes_without_the_body(stack: Stack, key: str) -> None:
    """A declared 200 MB are refused at once, before any of them is sent, whoever asks."""
    with stack.connect() as client:
        began = time.monotonic()
        client.sendall(request(key=key, close=False).replace(b"Content-Length: 0", b"Content-Length: 200000000"))
        answer = client.recv(65536)
        assert time.monotonic() - began < WAIT_S / 4
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert values(answer, b"connection") == [b"close"]
        assert read_all(client) == b""


def test_the_cap_itself_is_allowed(stack: Stack) -> None:
    """100 MiB declared are admitted, one byte more is not: the client is told to go on, or refused."""
    for length, status in ((100 << 20, 100), ((100 << 20) + 1, 413)):
        head = request("/openai/v1/responses", headers=("Expect: 100-continue",))
        with stack.connect() as client:
            client.sendall(head.replace(b"Content-Length: 0", b"Content-Length: %d" % length))
            assert client.recv(65536).startswith(b"HTTP/1.1 %d " % status)


def test_405_names_the_method_and_503_the_wait(stack: Stack) -> None:
    """405 carries Allow, 503 carries Retry-After."""
    assert values(stack.raw(faulty((METHOD,))), b"allow") == [b"POST"]
    assert int(values(stack.raw(faulty((NO_POOL_KEY,))), b"retry-after")[0]) > 0


def test_every_answer_has_an_id_of_its_own(stack: Stack) -> None:
    """Served, refused by the provider, refused by us, malformed: each has one id, no two the same, ours on the row."""
    sent = [
        request(body=chat()),
        request(body=chat("mock:status=429")),
        request(body=chat("mock:beyond_header=1")),
        request(body=chat("mock:cut=-1")),
        request("/openai/v1/files"),
        request("/nobody"),
        b"nonsense\r\n\r\n",
        request(key=BYO_KEY, body=chat()),
    ]
    found = [values(stack.raw(data), b"x-beyond-request-id") for data in sent]
    assert [len(ids) for ids in found] == [1] * len(sent)
    ids = [one[0].decode() for one in found]
    assert len(set(ids)) == len(ids)
    assert [row["request_id"] for row in stack.rows(4)] == ids[:4]


def test_a_refusal_is_logged_once(stack: Stack) -> None:
    """One line with the id that the client got, the status and the type."""
    answer = stack.raw(faulty((ENDPOINT,)))
    wanted = values(answer, b"x-beyond-request-id")[0].decode()
    lines = wait_for(lambda: [line for line in stack.log() if line["fields"].get("request_id") == wanted], "the line")
    assert len(lines) == 1
    assert (lines[0]["fields"]["status"], lines[0]["fields"]["type"]) == (404, "invalid_request_error")
