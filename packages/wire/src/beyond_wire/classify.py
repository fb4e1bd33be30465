"""What an error of a provider means for the next step: try again, give up, or send less.

Providers agree on no vocabulary, so three tables of their words decide. A quota is never retried, however the error is
typed; a text that also speaks of a rate is no overflow, because "too many tokens" then means "per minute".
"""

from __future__ import annotations

import re

RETRYABLE_TYPES = frozenset(
    {
        "overloaded_error",
        "rate_limit_error",
        "api_error",
        "timeout_error",
        "rate_limit_exceeded",
        "server_error",
        "internal_error",
        "service_unavailable",
    }
)
"""Error types after which the same request may succeed (wire contract, errors)."""

QUOTA_WORDS = ("insufficient_quota", "quota exceeded", "billing", "out of budget", "exceeded your current quota")
"""Words of an account that is used up (wire contract, errors)."""

OVERFLOW_WORDS = (
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "exceed context limit",
    "maximum context length",
    "context window",
    "input token count exceeds",
    "maximum prompt length",
    "reduce the length of the messages",
    "available context size",
    "greater than the context length",
)
"""Words of a request larger than the model's context (wire contract, errors)."""

RATE_WORDS = ("rate limit", "throttl", "too many requests", "tokens per minute", "quota")
"""Words of a limit over time, which rule out an overflow (wire contract, errors)."""

_OVERFLOW_TYPES = ("request_too_large", "context_length_exceeded")
_TRY_AGAIN = re.compile(r"(?<!not )\b(?:(?:try|retry)\b[\w ,']{0,40}\bagain\b|(?:can|please) retry\b|retry your\b)")


def is_quota(type: str | None, message: str, code: str | None = None) -> bool:  # noqa: A002 - the provider's field
    """Whether the account behind the request is used up; waiting does not help. `code` is what stands beside `type`."""
    said = f"{type}\n{code}\n{message}".lower()
    return any(word in said for word in QUOTA_WORDS)


def is_retryable(type: str | None, message: str, code: str | None = None) -> bool:  # noqa: A002 - as above
    """Whether the same request may succeed later: by type or code, else because the message advises to try again."""
    if is_quota(type, message, code):
        return False
    return type in RETRYABLE_TYPES or code in RETRYABLE_TYPES or _TRY_AGAIN.search(message.lower()) is not None


def is_overflow(status: int | None, type: str | None, message: str) -> bool:  # noqa: A002 - as above
    """Whether the request was larger than the model's context, so that a shorter one may pass.

    `status` is the HTTP status, None inside a stream; `type` is the error's type or its code.
    """
    said = message.lower()
    if any(word in said for word in RATE_WORDS):
        return False
    return status == 413 or type in _OVERFLOW_TYPES or any(word in said for word in OVERFLOW_WORDS)
