"""Answers the gateway makes itself."""

import msgspec
import pytest

from beyond_gateway import errors
from beyond_gateway.errors import OperatorError, Refusal, bad_request, body, breaker_open, method_refused

CONSTANTS = {name: value for name, value in vars(errors).items() if isinstance(value, Refusal)}

# The rows of the contract that have a fixed text.
CONTRACT = [
    (401, "authentication_error", "missing API key"),
    (401, "authentication_error", "invalid API key"),
    (402, "access_denied", "tenant is over limit or suspended"),
    (403, "access_denied", "tenant is over limit or suspended"),
    (404, "invalid_request_error", "unknown provider"),
    (404, "invalid_request_error", "endpoint not available to managed keys"),
    (408, "invalid_request_error", "request body timed out"),
    (413, "invalid_request_error", "request body too large"),
    (429, "rate_limit_error", "rate limit exceeded"),
    (502, "api_error", "no provider could be reached"),
    (502, "api_error", "upstream failed after receiving the request"),
    (503, "api_error", "no provider key available"),
    (503, "api_error", "provider temporarily unavailable"),
    (503, "api_error", "gateway is draining"),
    (504, "api_error", "upstream timed out after receiving the request"),
]


@pytest.mark.parametrize("row", CONTRACT)
def test_every_row_of_the_contract_has_its_answer(row: tuple[int, str, str]) -> None:
    """Each status, type and text of the contract is one refusal, letter by letter."""
    assert row in {
        (refusal.status, refusal.type, refusal.message) for refusal in [*CONSTANTS.values(), breaker_open(1)]
    }


def test_every_429_and_503_says_when_to_come_back() -> None:
    """Retry-After is set, and at least a second, on 429 and 503 and on nothing else."""
    for refusal in [*CONSTANTS.values(), breaker_open(0), breaker_open(30), bad_request("x"), method_refused("POST")]:
        assert (refusal.retry_after is not None) == (refusal.status in {429, 503}), refusal
        assert refusal.retry_after is None or refusal.retry_after >= 1


def test_reasons_tell_constants_apart() -> None:
    """No two refusals share the label that logs and metrics use."""
    assert len({refusal.reason for refusal in CONSTANTS.values()}) == len(CONSTANTS)


def test_a_body_is_the_one_shape_of_both_dialects() -> None:
    """The body is an object `error` with message and type, escaped as JSON."""
    refusal = bad_request('say "please"')
    assert msgspec.json.decode(body(refusal)) == {"error": {"message": 'say "please"', "type": "invalid_request_error"}}


def test_a_refused_method_names_the_allowed_ones() -> None:
    """A 405 carries what the Allow header must say."""
    assert (method_refused("POST").status, method_refused("POST").allow) == (405, "POST")


def test_an_operator_error_is_its_one_line() -> None:
    """The text prints as given, and the key travels beside it."""
    error = OperatorError("config.toml:3: listen: wrong", key="listen")
    assert (str(error), error.key) == ("config.toml:3: listen: wrong", "listen")
