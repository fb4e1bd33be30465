"""Faults that input can cause, and what an error of a provider means.

- `WireError`: the root; catch this one
  - `SseLineTooLong`: a line or an event above the framing bound
  - `SseBadUtf8`: event data that is not UTF-8
  - `SseBadJson`: event data that is not JSON
  - `StreamTruncated`: the body ended before the answer did
  - `ProviderError`: the provider says that it failed
  - `BodyInvalid`: a whole body that is neither an answer nor an error
  - `EncodeError`: a request that cannot be encoded

Usage readers raise none of them: there a byte sequence without meaning is an unknown count. What providers say about
their errors is read in `provider_errors`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from beyond_wire.classify import is_overflow, is_retryable
from beyond_wire.redact import redacted

MAX_EXCERPT = 4_000
"""Longest piece of a provider's text that an error keeps, in characters (wire contract, errors)."""


class WireError(Exception):
    """A failure caused by input, never by the caller's code.

    `code` is stable and safe to log, `retryable` says whether the same request may succeed later, and `events` holds
    what the same chunk decoded before the fault, in order, so that a fault in the middle of a chunk loses nothing.
    """

    code: ClassVar[str] = "wire_error"
    retryable: bool = False

    def __init__(self, message: str, *, events: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.events = events


class SseLineTooLong(WireError):  # noqa: N818  the wire contract names it so
    """A line, or the joined data of one event, is above 32 MiB (wire contract, SSE framing)."""

    code = "sse_line_too_long"


class SseBadUtf8(WireError):  # noqa: N818  the wire contract names it so
    """The data of one event is not UTF-8; the text names the offset of the first bad byte in that data."""

    code = "sse_bad_utf8"


class SseBadJson(WireError):  # noqa: N818  the wire contract names it so
    """The data of an event before the terminal one is not JSON. `reason` is the parser's word for what is wrong."""

    code = "sse_bad_json"

    def __init__(self, reason: str, *, events: tuple[Any, ...] = ()) -> None:
        super().__init__(f"malformed SSE json: {reason}", events=events)


class StreamTruncated(WireError):  # noqa: N818  the wire contract names it so
    """The body ended before its terminal event, as in `Anthropic stream ended before message_stop`; try again."""

    code = "stream_truncated"
    retryable = True


class ProviderError(WireError):
    """The provider's own error, in a stream or as a body.

    `type` is its kind in the provider's word, `message` its text without credentials, cut at 4,000 characters.
    `provider_code` is the code that some send beside the type, `retry_after` the seconds to wait before another try.
    `overflow` says that the request was larger than the model's context.
    """

    code = "provider_error"

    def __init__(
        self,
        *,
        type: str,  # noqa: A002 - the wire contract names the field so
        message: str,
        provider_code: str | None = None,
        retry_after: float | None = None,
        events: tuple[Any, ...] = (),
    ) -> None:
        self.type = redacted(type)[:MAX_EXCERPT]
        self.message = redacted(message)[:MAX_EXCERPT]
        self.provider_code = None if provider_code is None else redacted(provider_code)[:MAX_EXCERPT]
        self.retry_after = retry_after
        self.retryable = is_retryable(type, message, provider_code)
        self.overflow = any(is_overflow(None, kind, message) for kind in (type, provider_code))
        super().__init__(f"provider stream error: {self.type}: {self.message}", events=events)


class BodyInvalid(WireError):  # noqa: N818  the wire contract names it so
    """A whole body is neither an answer nor an error. `body` holds its first 4,000 characters, without credentials."""

    code = "body_invalid"

    def __init__(self, body: bytes | str, *, reason: str = "neither an answer nor an error") -> None:
        super().__init__(f"unreadable response body: {reason}")
        # A character is at most 4 bytes, so the rest of a large body need not be decoded.
        text = body[: 4 * MAX_EXCERPT].decode(errors="replace") if isinstance(body, bytes) else body
        self.body = redacted(text)[:MAX_EXCERPT]


class EncodeError(WireError):
    """The request cannot be encoded; `field` is the path of the part at fault, such as `tools[2].input_schema`."""

    code = "request_invalid"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
