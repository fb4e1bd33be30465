"""What an answer that is no stream means: status, headers and body in, a `RunFault` out. No I/O, no clock.

The texts are read by people and by the retry policy's watchers, so no key may be in them: what looks like a credential
is taken out, and so is the very key that was sent, which some servers quote. Both happen before a text is cut, since
half a key would no longer be known as one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from beyond_agent_core.errors import RunFault
from beyond_wire.classify import is_overflow, is_quota
from beyond_wire.errors import ProviderError
from beyond_wire.provider_errors import provider_error
from beyond_wire.redact import redacted

if TYPE_CHECKING:
    from datetime import datetime

TRANSIENT: Final = frozenset({408, 409, 429, 500, 502, 503, 504, 524, 529})
"""Statuses after which the same request may succeed (agent-core contract, failure and retry)."""
MAX_BODY: Final = 4_000
"""Longest piece of an error body in a text, in characters (agent-core contract, transport)."""
MAX_EXCERPT: Final = 200
"""Longest piece of a body that should have been a stream (agent-core contract, transport)."""


def hidden(text: str, key: str) -> str:
    """Return `text` without `key` and without anything else that looks like a credential."""
    return redacted(text.replace(key, "[redacted]") if key else text)


def shortened(text: str, most: int) -> str:
    """Return `text` trimmed, and cut with a mark where it is longer than `most` characters."""
    text = text.strip()
    return text if len(text) <= most else f"{text[:most]}… [truncated]"


def without_key(error: ProviderError, key: str) -> ProviderError:
    """Return the provider's error, or one that says the same without the key where it quotes it."""
    if not key or not any(key in text for text in (error.type, error.message, error.provider_code or "")):
        return error
    return ProviderError(
        type=hidden(error.type, key),
        message=hidden(error.message, key),
        provider_code=None if error.provider_code is None else hidden(error.provider_code, key),
        retry_after=error.retry_after,
        events=error.events,
    )


def failure(message: str) -> str:
    """Return `message` as every text of a transport's failure begins."""
    return f"transport error: {message}"


def refused(status: int, headers: dict[str, str], body: bytes, *, key: str, now: datetime) -> RunFault:
    """Return what an answer with a status outside 200 to 299 is. `headers` have names in lower case."""
    if 300 <= status < 400:
        text = failure(f"gateway returned {status}: a redirect, which is not followed")
        return RunFault(code="http_status", message=text, status=status)
    said = shortened(hidden(body.decode(errors="replace"), key), MAX_BODY)
    if status == 401:
        text = failure(f"gateway returned 401: the key was refused, check it: {said}")
        return RunFault(code="unauthorized", message=text, status=status)
    text = failure(f"gateway returned {status}: {said}")
    error = provider_error(body, named=True)
    kind, code, told = ("", "", "") if error is None else (error.type, error.provider_code, error.message)
    if status == 402 or is_quota(kind, told, code):
        return RunFault(code="quota", message=text, status=status)
    if is_overflow(status, kind, told) or is_overflow(None, code, told):
        return RunFault(code="context_overflow", message=text, status=status)
    wait = retry_after_s(headers.get("retry-after", ""), now)
    if wait is None and error is not None:
        wait = error.retry_after
    return RunFault(code="http_status", message=text, status=status, transient=status in TRANSIENT, retry_after=wait)


def not_a_stream(kind: str, encoding: str, body: bytes, *, key: str) -> RunFault:
    """Return what a 200 is whose body is no event stream, or is packed although plain bytes were asked for."""
    said = shortened(hidden(body.decode(errors="replace"), key), MAX_EXCERPT)
    what = f"content-encoding {encoding}" if encoding else kind or "no content type"
    text = failure(f"gateway returned no event stream but {hidden(what, key)[:MAX_EXCERPT]}: {said}")
    return RunFault(code="bad_frame", message=text, status=200)


def retry_after_s(value: str, now: datetime) -> float | None:
    """Return the seconds that a Retry-After asks for, 0 for a date in the past; None where it says nothing readable."""
    value = value.strip()
    if value.isascii() and value.replace(".", "", 1).isdigit():
        seconds = float(value)
        return seconds if math.isfinite(seconds) else None
    # Rare, and half of what h11 costs to import.
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - only an answer with a date pays for it

    try:
        at = parsedate_to_datetime(value)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or now.tzinfo) - now).total_seconds())
    except (ValueError, OverflowError, TypeError):
        return None
