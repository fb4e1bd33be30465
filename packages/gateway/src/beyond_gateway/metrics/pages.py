"""The three pages of the admin listener as values: which request gets which answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from beyond_gateway import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_gateway.head_rules import HeadError, RequestHead

_JSON: Final = b"application/json"
_PATHS: Final = (b"/livez", b"/readyz", b"/metrics")
_NO_PAGE: Final = errors.Refusal(404, "invalid_request_error", "there are /livez, /readyz and /metrics", "no_page")
_ONLY_READ: Final = errors.Refusal(
    405, "invalid_request_error", "this page can only be read", "only_read", allow="GET, HEAD"
)


class Answer(NamedTuple):
    """One answer; `extra` is further header lines, each with its CRLF."""

    status: int
    content_type: bytes
    body: bytes
    extra: bytes = b""

    def message(self, *, close: bool, with_body: bool) -> bytes:
        """Return it as bytes, head and body, or the head alone where a HEAD asked for it."""
        return b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b%b\r\n%b" % (
            self.status,
            HTTPStatus(self.status).phrase.encode(),
            self.content_type,
            len(self.body),
            self.extra,
            b"connection: close\r\n" if close else b"",
            self.body if with_body else b"",
        )


class Pages:
    """What is told: that the process lives, whether traffic should come here, and the metrics.

    `ready` is asked for /readyz; `metrics` takes the Accept value, empty where there is none, and returns content type
    and body.
    """

    def __init__(
        self, *, version: str, ready: Callable[[], bool], metrics: Callable[[bytes], tuple[bytes, bytes]]
    ) -> None:
        self._ready = ready
        self._metrics = metrics
        self._ok = Answer(200, _JSON, _status("ok", version))
        self._draining = Answer(503, _JSON, _status("draining", version), b"retry-after: 1\r\n")

    def answer(self, head: RequestHead) -> Answer:
        """Return the answer to one request."""
        path = head.target.partition(b"?")[0]
        if path not in _PATHS:
            return _error(_NO_PAGE)
        if head.method not in (b"GET", b"HEAD"):
            return _error(_ONLY_READ)
        if path == b"/metrics":
            return Answer(200, *self._metrics(head.fields.values.get(b"accept", b"")))
        return self._ok if path == b"/livez" or self._ready() else self._draining


def malformed(error: HeadError) -> Answer:
    """Return the answer to bytes that are no request head."""
    known = {414: errors.TARGET_TOO_LONG, 431: errors.HEAD_TOO_LARGE}
    return _error(known.get(error.status) or errors.bad_request(str(error)))


def _error(refusal: errors.Refusal) -> Answer:
    allow = b"" if refusal.allow is None else b"allow: %b\r\n" % refusal.allow.encode()
    return Answer(refusal.status, _JSON, errors.body(refusal), allow)


def _status(word: str, version: str) -> bytes:
    return msgspec.json.encode({"status": word, "version": version})
