"""Which header fields cross the gateway, in each direction.

Managed requests carry only an allowlist, because they travel under a shared pool key: a cookie, an organisation header
or a forwarded address of one tenant must not ride on it. A caller's own key keeps everything that is not hop-by-hop
(RFC 9110 section 7.6.1). `x-beyond-*` is ours and crosses in neither direction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from beyond_gateway.head_rules import RequestHead, ResponseHead

MANAGED_REQUEST: Final = frozenset(
    {
        b"content-type",
        b"accept",
        b"user-agent",
        b"anthropic-version",
        b"anthropic-beta",
        b"idempotency-key",
        b"expect",
    }
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
_NEVER_RETURNED: Final = HOP_BY_HOP | _FRAMING
_OURS: Final = b"x-beyond-"
_BODILESS: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"DELETE"})

AUTH_FIELDS: Final = {"bearer": b"authorization: Bearer ", "x-api-key": b"x-api-key: ", "api-key": b"api-key: "}
"""How a provider takes its key, by the auth scheme of its row."""


def framing_field(length: int) -> bytes:
    """Return the field line that declares a body: its bytes, chunked when negative, nothing when 0."""
    if length < 0:
        return b"transfer-encoding: chunked\r\n"
    return b"content-length: %d\r\n" % length if length else b""


def managed_request(head: RequestHead, path: bytes, length: int, fixed: bytes) -> bytes:
    """Return the request head that goes to a provider under a pool key.

    `fixed` are the provider's own lines, made once: Host, the pool key, `accept-encoding: identity` (usage cannot be
    read from a compressed body). `length` is the body's length as sent on: bytes, or negative for chunked.
    """
    lines = [b"%b %b HTTP/1.1\r\n" % (head.method, path), fixed]
    lines += [b"%b: %b\r\n" % field for field in head.fields if field[0] in MANAGED_REQUEST]
    lines.append(_request_framing(head, length))
    return b"".join(lines)


def byo_request(head: RequestHead, path: bytes, host: bytes) -> bytes:
    """Return the request head that goes to a provider under the caller's own key: all but hop-by-hop and ours."""
    dropped = _NEVER_SENT_ON | named_by_connection(head)
    lines = [b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (head.method, path, host)]
    lines += [
        b"%b: %b\r\n" % (sent, value)
        for sent, (name, value) in zip(head.names, head.fields, strict=True)
        if name not in dropped and not name.startswith(_OURS)
    ]
    lines.append(_request_framing(head, head.length))
    return b"".join(lines)


def _request_framing(head: RequestHead, length: int) -> bytes:
    # Without a declared length a POST gets 411 from some servers (RFC 9110 section 8.6).
    if not length and head.method not in _BODILESS:
        return b"content-length: 0\r\n\r\n"
    return framing_field(length) + b"\r\n"


def named_by_connection(head: RequestHead | ResponseHead) -> frozenset[bytes]:
    """Return the lower-case field names that Connection makes hop-by-hop in this message, empty in nearly all."""
    named: set[bytes] = set()
    for name, value in head.fields:
        if name == b"connection" and value.lower() not in (b"keep-alive", b"close"):
            named |= {token.strip(b" \t").lower() for token in value.split(b",")}
    return frozenset(named)


def response(head: ResponseHead, request_id: str, framing: bytes) -> bytes:
    """Return the response head that goes to the client: the provider's, less hop-by-hop and ours, plus the request id.

    `framing` are the lines that frame the body on the client's connection, and its Connection field where it has one.
    """
    dropped = _NEVER_RETURNED | named_by_connection(head)
    lines = [b"HTTP/1.1 %d %b\r\n" % (head.status, head.reason)]
    lines += [
        b"%b: %b\r\n" % (sent, value)
        for sent, (name, value) in zip(head.names, head.fields, strict=True)
        if name not in dropped and not name.startswith(_OURS)
    ]
    lines.append(b"x-beyond-request-id: %b\r\n%b\r\n" % (request_id.encode(), framing))
    return b"".join(lines)


def answer(status_line: bytes, body: bytes, request_id: str, extra: bytes) -> bytes:
    """Return a whole response of the gateway's own: JSON `body` behind a head with the request id and `extra` lines."""
    return (
        b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-beyond-request-id: %b\r\n%b\r\n%b"
        % (
            status_line,
            len(body),
            request_id.encode(),
            extra,
            body,
        )
    )
