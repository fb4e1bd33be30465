"""What a request or response head must be before anything acts on it.

Problem: two parsers that read one head differently are how a request is smuggled past a gateway. httptools (llhttp) is
strict by default, yet it lets some control bytes by and leaves repeated fields, Host, the target's form and the body's
framing to its caller. So: one cheap look at the raw block for line ends and control bytes, the C parser for the
grammar, then the rules of RFC 9112 on what is left open. Everything ambiguous is refused; nothing is repaired.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

import httptools

HEAD_BYTES: Final = 64 * 1024
"""Cap on the header block (gateway contract, relay); above it 431."""
TARGET_BYTES: Final = 16 * 1024
"""Cap on the request target (gateway contract, relay); above it 414."""

Headers = list[tuple[bytes, bytes]]

_TEXT: Final = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_REQUEST_LINE: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [^ \t\r\n\x80-\xff]+ HTTP/1\.[01]\r\n")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")

CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2


class HeadError(ValueError):
    """A head that will not be relayed: `status` is the answer that it gets, the text says what is wrong."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class RequestHead:
    """One request head. `fields` are (lower-case name, value) in order, `names` the same names as they were sent.

    `length` is the declared body length in bytes, or CHUNKED; a request without framing has length 0. `minor` is the
    minor version of HTTP/1. `wants_close` and `expects_continue` are what the client asked of the connection.
    """

    __slots__ = ("expects_continue", "fields", "length", "method", "minor", "names", "target", "wants_close")

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.minor = 1
        self.fields: Headers = []
        self.names: list[bytes] = []
        self.length = 0
        self.wants_close = False
        self.expects_continue = False

    def on_url(self, url: bytes) -> None:
        """Called by the parser, in pieces where the target is long."""
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser, once a field."""
        self.names.append(name)
        self.fields.append((name.lower(), value.rstrip(b" \t")))

    def __repr__(self) -> str:
        method = self.method.decode("ascii", "replace")
        return f"<RequestHead {method} fields={len(self.fields)} length={self.length}>"


class ResponseHead:
    """One response head from a provider; fields as in RequestHead. `length` may also be UNTIL_CLOSE."""

    __slots__ = ("fields", "length", "minor", "names", "reason", "status", "wants_close")

    def __init__(self) -> None:
        self.status = 0
        self.reason = b""
        self.minor = 1
        self.fields: Headers = []
        self.names: list[bytes] = []
        self.length = UNTIL_CLOSE
        self.wants_close = False

    def on_status(self, reason: bytes) -> None:
        """Called by the parser, in pieces."""
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser, once a field."""
        self.names.append(name)
        self.fields.append((name.lower(), value.rstrip(b" \t")))

    def get(self, name: bytes) -> bytes:
        """Return the first value of a field by its lower-case name, empty when absent."""
        for field, value in self.fields:
            if field == name:
                return value
        return b""


class _Fields(Protocol):
    fields: Headers
    minor: int


def head_end(data: bytes | bytearray, start: int = 0) -> int:
    """Return the position behind a complete head in `data`, or -1 while it is not complete.

    `start` is where to look from. Raises HeadError (400, 414, 431) as soon as what is there cannot become a head that
    we relay, so that a peer which never sends CRLF does not wait for its timeout.
    """
    end = data.find(b"\r\n\r\n", start)
    if end >= 0:
        if end + 4 > HEAD_BYTES:
            raise HeadError("request header block too large", 431)
        return end + 4
    if len(data) > HEAD_BYTES:
        raise HeadError("request header block too large", 431)
    if len(data) > TARGET_BYTES and b"\n" not in data:
        raise HeadError("request target too long", 414)
    if not _clean_lines(bytes(data) + b"\n" if data.endswith(b"\r") else bytes(data)):
        raise HeadError("malformed request head")
    return -1


def _clean_lines(head: bytes) -> bool:
    """Whether `head` holds no control byte and no line end but CRLF, and folds no line.

    Deleting what may stand in a line leaves the line ends; they are all CRLF when there are twice as many bytes left as
    there are CRLF pairs. Two passes in C: a regular expression for the same takes thirty times as long.
    """
    ends = len(head.translate(None, _TEXT))
    return ends == 2 * head.count(b"\r\n") and b"\n " not in head and b"\n\t" not in head


def parse_request(head: bytes) -> RequestHead:
    """Return the request head in `head`, which ends with the empty line. Raises HeadError (400, 414)."""
    line_end = head.find(b"\r\n")
    if line_end > TARGET_BYTES + 32:
        raise HeadError("request target too long", 414)
    if not _REQUEST_LINE.match(head) or not _clean_lines(head):
        raise HeadError("malformed request head")
    parsed = RequestHead()
    parser = httptools.HttpRequestParser(parsed)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        raise HeadError("upgrade is not relayed: WebSocket and tunnel traffic cannot be metered") from None
    except httptools.HttpParserError:
        raise HeadError("malformed request head") from None
    parsed.method = parser.get_method()
    if len(parsed.target) > TARGET_BYTES:
        raise HeadError("request target too long", 414)
    parsed.minor = 0 if head.startswith(b"0", line_end - 1) else 1
    _request_rules(parsed)
    return parsed


def _request_rules(head: RequestHead) -> None:
    if head.method == b"CONNECT":
        raise HeadError("CONNECT is not relayed")
    hosts = 0
    for name, value in head.fields:
        if name == b"host":
            hosts += 1
        elif name == b"upgrade":
            raise HeadError("upgrade is not relayed: WebSocket and tunnel traffic cannot be metered")
        elif name == b"connection":
            head.wants_close = head.wants_close or b"close" in value.lower()
        elif name == b"expect":
            if value.lower() != b"100-continue":
                raise HeadError("unsupported Expect value")
            head.expects_continue = head.minor == 1
    if hosts > 1 or (not hosts and head.minor):
        raise HeadError("a request needs exactly one Host field")
    length = _declared_length(head)
    head.length = 0 if length == UNTIL_CLOSE else length
    head.wants_close = head.wants_close or not head.minor


def _declared_length(head: _Fields) -> int:
    """Return the body length that the fields declare: bytes, CHUNKED, or UNTIL_CLOSE where they declare none."""
    length: bytes | None = None
    coding: bytes | None = None
    for name, value in head.fields:
        if name == b"content-length":
            if length is not None:
                raise HeadError("repeated Content-Length")
            length = value
        elif name == b"transfer-encoding":
            if coding is not None:
                raise HeadError("repeated Transfer-Encoding")
            coding = value
    if coding is not None:
        if length is not None:
            raise HeadError("Transfer-Encoding together with Content-Length")
        if coding.lower() != b"chunked" or not head.minor:
            raise HeadError("unsupported Transfer-Encoding")
        return CHUNKED
    if length is None:
        return UNTIL_CLOSE
    if not _LENGTH.fullmatch(length):
        raise HeadError("bad Content-Length")
    return int(length)


_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n")
_NO_BODY: Final = frozenset({204, 304})


def parse_response(head: bytes, *, head_request: bool) -> ResponseHead:
    """Return the response head in `head`, which ends with the empty line. Raises HeadError, whose status is moot.

    `head_request` says that the request was HEAD, whose response has no body whatever it declares. A status of 1xx, 204
    or 304 has none either (RFC 9112 section 6.3).
    """
    line = _STATUS_LINE.match(head)
    if not line or not _clean_lines(head):
        raise HeadError("malformed response head", 502)
    parsed = ResponseHead()
    parser = httptools.HttpResponseParser(parsed)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        raise HeadError("provider switched protocols", 502) from None
    except httptools.HttpParserError:
        raise HeadError("malformed response head", 502) from None
    parsed.status = int(line[2])
    parsed.minor = int(line[1])
    length = _declared_length(parsed)
    if head_request or parsed.status < 200 or parsed.status in _NO_BODY:
        length = 0
    parsed.length = length
    keep = False
    for name, value in parsed.fields:
        if name == b"connection":
            token = value.lower()
            parsed.wants_close = parsed.wants_close or b"close" in token
            keep = keep or b"keep-alive" in token
    parsed.wants_close = parsed.wants_close or length == UNTIL_CLOSE or (not parsed.minor and not keep)
    return parsed
