"""Every answer the gateway makes itself, as values, and the one exception for an operator's mistakes.

By whose fault it is (gw contract, errors):

- client: `bad_request`, `MISSING_KEY`, `INVALID_KEY`, `OVER_LIMIT`, `SUSPENDED`, `UNKNOWN_PROVIDER`,
  `ENDPOINT_REFUSED`, `method_refused`, `BODY_TIMED_OUT`, `BODY_TOO_LARGE`, `TARGET_TOO_LONG`, `HEAD_TOO_LARGE`,
  `RATE_LIMITED`
- us: `DRAINING`, `BUFFERS_FULL`, `USAGE_BACKLOG`, `NO_DESCRIPTOR`
- upstream: `UNREACHABLE`, `UPSTREAM_FAILED`, `UPSTREAM_TIMED_OUT`, `breaker_open`
- operator: `NO_PROVIDER_KEY` at run time; `OperatorError` at start, which ends the command with exit status 2

A refusal is returned, never raised: raising is for borders and bugs. Texts are wire format and carry no secret.
"""

import msgspec


class Refusal(msgspec.Struct, frozen=True):
    """One answer made by the gateway.

    `reason` is a short label for logs and metrics, never sent. `retry_after` is whole seconds and set on every 429 and
    503. `allow` is the value of the Allow header that a 405 owes (RFC 9110, 15.5.6).
    """

    status: int
    type: str
    message: str
    reason: str
    retry_after: int | None = None
    allow: str | None = None


class OperatorError(Exception):
    """What an operator gave cannot be used: one line that says what is wrong and how to mend it.

    `key` is the dotted configuration key at fault, where there is one, so that the loader can add file and line.
    """

    def __init__(self, text: str, *, key: str | None = None) -> None:
        # What is quoted may have any letter in it; a message is one line.
        super().__init__("".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text))
        self.key = key


_INVALID = "invalid_request_error"

MISSING_KEY = Refusal(401, "authentication_error", "missing API key", "missing_key")
INVALID_KEY = Refusal(401, "authentication_error", "invalid API key", "invalid_key")
OVER_LIMIT = Refusal(402, "access_denied", "tenant is over limit or suspended", "denied_spend")
SUSPENDED = Refusal(403, "access_denied", "tenant is over limit or suspended", "denied_fraud")
UNKNOWN_PROVIDER = Refusal(404, _INVALID, "unknown provider", "unknown_provider")
ENDPOINT_REFUSED = Refusal(404, _INVALID, "endpoint not available to managed keys", "endpoint_refused")
BODY_TIMED_OUT = Refusal(408, _INVALID, "request body timed out", "body_timeout")
BODY_TOO_LARGE = Refusal(413, _INVALID, "request body too large", "body_too_large")
TARGET_TOO_LONG = Refusal(414, _INVALID, "request target too long", "target_too_long")
HEAD_TOO_LARGE = Refusal(431, _INVALID, "request header block too large", "head_too_large")
RATE_LIMITED = Refusal(429, "rate_limit_error", "rate limit exceeded", "rate_limited", retry_after=1)
UNREACHABLE = Refusal(502, "api_error", "no provider could be reached", "unreachable")
UPSTREAM_FAILED = Refusal(502, "api_error", "upstream failed after receiving the request", "upstream_failed")
UPSTREAM_TIMED_OUT = Refusal(504, "api_error", "upstream timed out after receiving the request", "upstream_timeout")

# The waits are ours, in seconds: an operator must act before a key appears, a drained gateway is replaced by the next
# one at once, and full buffers or a stalled log clear as soon as running exchanges end.
NO_PROVIDER_KEY = Refusal(503, "api_error", "no provider key available", "no_provider_key", retry_after=30)
DRAINING = Refusal(503, "api_error", "gateway is draining", "draining", retry_after=1)
# The contract has no text of its own for these; to the client they are the same event as an unavailable provider.
BUFFERS_FULL = Refusal(503, "api_error", "provider temporarily unavailable", "buffers_full", retry_after=1)
USAGE_BACKLOG = Refusal(503, "api_error", "provider temporarily unavailable", "usage_backlog", retry_after=1)
NO_DESCRIPTOR = Refusal(503, "api_error", "provider temporarily unavailable", "no_descriptor", retry_after=1)


def bad_request(message: str, reason: str = "bad_request") -> Refusal:
    """Answer 400 whose `message` names what is wrong, in text that is safe to send: no key, body or header value."""
    return Refusal(400, _INVALID, message, reason)


def method_refused(allow: str) -> Refusal:
    """Answer 405 for an endpoint that managed keys reach with the methods in `allow` only."""
    return Refusal(405, _INVALID, "endpoint not available to managed keys", "method_refused", allow=allow)


def breaker_open(retry_after: int) -> Refusal:
    """Answer 503 while a provider's circuit breaker is open; `retry_after` is seconds until the next probe."""
    return Refusal(
        503, "api_error", "provider temporarily unavailable", "breaker_open", retry_after=max(1, retry_after)
    )


def body(refusal: Refusal) -> bytes:
    """Body of the answer as JSON, the same shape in both dialects so that both stock SDKs raise their own exception."""
    return msgspec.json.encode({"error": {"message": refusal.message, "type": refusal.type}})
