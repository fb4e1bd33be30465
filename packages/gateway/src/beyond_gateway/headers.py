"""Which header fields cross the gateway, in each direction.

Managed requests carry only an allowlist, because they travel under a shared pool key: a cookie, an organisation header
or a forwarded address of one tenant must not ride on it. A caller's own key keeps everything that is not hop-by-hop
(RFC 9110 section 7.6.1). `x-beyond-*` is ours and crosses in neither direction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from beyond_gateway.redact import overwrite

if TYPE_CHECKING:
    from beyond_gateway.head_rules import RequestHead, ResponseHead

MANAGED_REQUEST: Final = (
    b"content-type",
    b"accept",
    b"user-agent",
    b"anthropic-version",
    b"anthropic-beta",
    b"idempotency-key",
    b"expect",
)
"""Forwarded on managed requests (gateway contract, managed hardening); framing fields are written by us."""

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"upgrade",
    }
)
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
_NEVER_SENT_ON: Final = HOP_BY_HOP | _FRAMING | {b"host"}
_HOP_BY_HOP_AND_FRAMING: Final = HOP_BY_HOP | _FRAMING
_OURS: Final = re.compile(rb"^x-beyond-[^\r\n]*\r\n", re.IGNORECASE | re.MULTILINE)
_BODILESS: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"DELETE"})

AUTH_FIELDS: Final = {"bearer": b"authorization: Bearer ", "x-api-key": b"x-api-key: ", "api-key": b"api-key: "}
"""How a provider takes its key, by the auth scheme of its row."""


def trailers(lines: bytes, pool_key: bytes = b"") -> bytes:
    """Return trailer lines as they go on: without ours (`x-beyond-`), and with stars where the pool key stands."""
    return overwrite(_OURS.sub(b"", lines), pool_key)


def managed_fields(head: RequestHead) -> bytes:
    """Return the lines of the client's fields that go on under a pool key: the listed ones, each with its CRLF.

    A field that stands there several times goes on as often: `accept` and `anthropic-beta` are lists.
    """
    values = head.fields.values
    dropped = head.fields.hop_by_hop()
    if head.fields.repeated:
        pairs = head.fields.pairs()
        listed = [pair for name in MANAGED_REQUEST if name not in dropped for pair in pairs if pair[0] == name]
        return b"".join(b"%b: %b\r\n" % pair for pair in listed)
    return b"".join(
        b"%b: %b\r\n" % (name, values[name]) for name in MANAGED_REQUEST if name in values and name not in dropped
    )


def byo_fields(head: RequestHead) -> bytes:
    """Return the lines that go on under the caller's own key, as sent: not hop-by-hop ones, framing, Host, ours."""
    return b"".join(line + b"\r\n" for line in head.fields.kept(_NEVER_SENT_ON))


def request_framing(method: bytes, length: int) -> bytes:
    """Return the end of a request head: what frames the body of `length` (bytes, negative for chunked), the empty line.

    Without a declared length a POST gets 411 from some servers (RFC 9110 section 8.6).
    """
    if length < 0:
        return b"transfer-encoding: chunked\r\n\r\n"
    if not length and method in _BODILESS:
        return b"\r\n"
    return b"content-length: %d\r\n\r\n" % length


def response(head: ResponseHead, request_id: str, framing: bytes | None, *, close: bool) -> bytes:
    """Return the response head that goes to the client: the provider's, less hop-by-hop and ours, plus the request id.

    `framing` is the line that frames the body on the client's connection, empty for none; None keeps the provider's.
    """
    return b"HTTP/1.1 %b%b\r\nx-beyond-request-id: %b\r\n%b%b\r\n" % (
        head.status_text,
        head.fields_without(HOP_BY_HOP if framing is None else _HOP_BY_HOP_AND_FRAMING),
        request_id.encode(),
        framing or b"",
        b"connection: close\r\n" if close else b"",
    )


def answer(status_line: bytes, body: bytes, request_id: str, extra: bytes, *, head_only: bool = False) -> bytes:
    """Return a whole response of the gateway's own: JSON `body` behind a head with the request id and `extra` lines.

    With `head_only`, which HEAD asks for, the head tells the length of the body that is left out (RFC 9110, 9.3.2).
    """
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%b%b\r\n" % (
        status_line,
        len(body),
        b"x-beyond-request-id: %b\r\n" % request_id.encode(),
        extra,
    )
    return head if head_only else head + body
