"""What a request or response head must be before anything acts on it.

Problem: two parsers that read one head differently are how a request is smuggled past a gateway. A lenient parser
behind a strict check leaves the check guessing what the parser will do. So a request has one grammar, ours, and it is
RFC 9112 without the leniencies: lines end with CRLF and nothing else, names are tokens, values hold no control byte,
nothing is folded, and whatever frames the body is declared once. Everything ambiguous is refused; nothing is repaired.
A response is read by httptools, for speed (`parse_response`), under the same rules for its framing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import httptools

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD_BYTES: Final = 64 * 1024
"""Cap on the header block (gateway contract, relay); above it 431."""
TARGET_BYTES: Final = 16 * 1024
"""Cap on the request target (gateway contract, relay); above it 414."""

# What may stand in a line, and in a field's name once it is lower case (RFC 9110 section 5.6.2).
_TEXT: Final = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_REQUEST_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) HTTP/1\.([01])\r\n")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")

CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2


class HeadError(ValueError):
    """A head that will not be relayed: `status` is the answer that it gets, the text says what is wrong."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Fields:
    """The fields of a head: `lines` as they were sent, `names` the same in lower case, `values` by name.

    Where a name is repeated `values` holds the last and `repeated` is true; `pairs()` has them all.
    """

    __slots__ = ("lines", "names", "repeated", "values")

    def __init__(self, lines: list[bytes]) -> None:
        """Raises HeadError for a line that is not a field."""
        try:
            pairs = [line.split(b":", 1) for line in lines]
            names = [name.lower() for name, _ in pairs]
            self.values = {name: value.strip() for name, (_, value) in zip(names, pairs, strict=True)}
        except ValueError:
            raise HeadError("malformed header field") from None
        self.lines = lines
        self.names = names
        self.repeated = len(self.values) != len(lines)
        if b"" in self.values or b"".join(names).translate(None, _TOKEN):
            raise HeadError("malformed header field name")

    def pairs(self) -> list[tuple[bytes, bytes]]:
        """Return every field as (lower-case name, value), in order."""
        return [(name, line.partition(b":")[2].strip()) for name, line in zip(self.names, self.lines, strict=True)]

    def kept(self, dropped: frozenset[bytes]) -> list[bytes]:
        """Return the lines whose names are not in `dropped` and not ours (`x-beyond-`)."""
        dropped |= self.hop_by_hop()
        return [
            line
            for name, line in zip(self.names, self.lines, strict=True)
            if name not in dropped and not name.startswith(b"x-beyond-")
        ]

    def hop_by_hop(self) -> frozenset[bytes]:
        """Return the lower-case names that the Connection fields make hop-by-hop in this message."""
        return named_by_connection(self.connection())

    def connection(self) -> bytes:
        """Return the values of all Connection fields as one list, empty where there is none."""
        if b"connection" not in self.values:
            return b""
        if not self.repeated:
            return self.values[b"connection"]
        return b",".join(value for name, value in self.pairs() if name == b"connection")

    def __repr__(self) -> str:
        return f"<Fields {len(self.lines)}>"


_PLAIN: Final = frozenset({b"", b"keep-alive", b"close"})
_NOTHING: Final[frozenset[bytes]] = frozenset()


def named_by_connection(value: bytes) -> frozenset[bytes]:
    """Return the lower-case field names that a Connection value makes hop-by-hop, none in nearly every message."""
    if value.lower() in _PLAIN:
        return _NOTHING
    return frozenset(token.strip().lower() for token in value.split(b","))


_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
_CONNECTION_LINE: Final = re.compile(rb"\r\nconnection:[ \t]*([^\r\n]*)")


def _without_lines(block: bytes, names: Iterable[bytes]) -> bytes:
    """Return the field lines of `block`, each behind a CRLF, without those of `names`, which are in lower case."""
    lowered = block.lower()
    for name in names:
        start_of_line = b"\r\n%b:" % name
        while (start := lowered.find(start_of_line)) >= 0:
            end = lowered.find(b"\r\n", start + 2)
            end = len(lowered) if end < 0 else end
            block = block[:start] + block[end:]
            lowered = lowered[:start] + lowered[end:]
    return block


class RequestHead:
    """One request head.

    `length` is the declared body length in bytes, or CHUNKED; a request without framing has length 0. `minor` is the
    minor version of HTTP/1. `wants_close` and `expects_continue` are what the client asked of the connection.
    """

    __slots__ = ("expects_continue", "fields", "length", "method", "minor", "target", "wants_close")

    def __init__(self, method: bytes, target: bytes, minor: int, fields: Fields) -> None:
        self.method = method
        self.target = target
        self.minor = minor
        self.fields = fields
        self.length = 0
        self.wants_close = not minor
        self.expects_continue = False

    def __repr__(self) -> str:
        return f"<RequestHead {self.method.decode('ascii')} fields={len(self.fields.lines)} length={self.length}>"


class ResponseHead:
    """One response head from a provider.

    `status_text` is the status line behind its version. `values` are the fields by name, all in lower case: enough for
    what we decide, and never sent on; that is `fields_without`. `length` is as in RequestHead, or UNTIL_CLOSE.
    """

    __slots__ = ("_block", "length", "minor", "status", "status_text", "values", "wants_close")

    def __init__(self, status_text: bytes, minor: int, values: dict[bytes, bytes], block: bytes) -> None:
        self.status_text = status_text
        self.status = int(status_text[:3])
        self.minor = minor
        self.values = values
        self._block = block
        self.length = UNTIL_CLOSE
        self.wants_close = False

    @property
    def is_stream(self) -> bool:
        """Whether the body is server-sent events."""
        return self.values.get(b"content-type", b"").startswith(b"text/event-stream")

    def overwrite(self, secret: bytes) -> None:
        """Put stars where `secret` stands in a field or in the reason phrase."""
        stars = b"*" * len(secret)
        self._block = self._block.replace(secret, stars)
        self.status_text = self.status_text.replace(secret, stars)

    def drop(self, name: bytes) -> None:
        """Take a field out, by its lower-case name."""
        self._block = _without_lines(self._block, {name})

    def fields_without(self, dropped: frozenset[bytes]) -> bytes:
        """Return the field lines as sent, each behind a CRLF, without those in `dropped` and ours (`x-beyond-`)."""
        names = dropped.intersection(self.values)
        lowered = self._block.lower()
        if lowered.find(b"\r\nx-beyond-") >= 0:
            names |= {name for name in self.values if name.startswith(b"x-beyond-")}
        if b"connection" in self.values:
            for value in _CONNECTION_LINE.findall(lowered):
                # What frames the body stays, or the client could not tell where it ends.
                names |= named_by_connection(value) - _FRAMING
        return _without_lines(self._block, names) if names else self._block

    def __repr__(self) -> str:
        return f"<ResponseHead {self.status} fields={len(self.values)} length={self.length}>"


def head_end(data: bytes | bytearray, start: int = 0, seen: int = 0) -> int:
    """Return the position behind the complete head that begins at `start` in `data`, or -1 while it is not complete.

    `seen` bytes were looked at before and are not again, so that a head sent byte by byte costs what it costs whole.
    Raises HeadError (400, 414, 431) as soon as what is there cannot become a head that we relay, so that a peer which
    never sends CRLF does not wait for its timeout.
    """
    end = data.find(b"\r\n\r\n", max(start, seen - 3))
    if end >= 0:
        if end + 4 - start > HEAD_BYTES:
            raise HeadError("request header block too large", 431)
        return end + 4
    size = len(data) - start
    if size > HEAD_BYTES:
        raise HeadError("request header block too large", 431)
    if size > TARGET_BYTES and data.find(b"\n", start) < 0:
        raise HeadError("request target too long", 414)
    fresh = bytes(data[max(start, seen - 1) :])
    # A line end that the cuts have split is made whole; both halves were or will be looked at.
    fresh = b"\r" + fresh if seen and fresh.startswith(b"\n") else fresh
    if not _clean_lines(fresh + b"\n" if fresh.endswith(b"\r") else fresh):
        raise HeadError("malformed request head")
    return -1


def _clean_lines(head: bytes) -> bool:
    """Whether `head` holds no control byte and no line end but CRLF, and folds no line.

    Deleting what may stand in a line leaves the line ends; they are all CRLF when there are twice as many bytes left as
    there are CRLF pairs. Two passes in C: a regular expression for the same takes thirty times as long.
    """
    ends = len(head.translate(None, _TEXT))
    return ends == 2 * head.count(b"\r\n") and head.find(b"\n ") < 0 and head.find(b"\n\t") < 0


def _fields(head: bytes, start: int) -> Fields:
    return Fields(head[start:-4].split(b"\r\n") if start < len(head) - 2 else [])


def parse_request(head: bytes) -> RequestHead:
    """Return the request head in `head`, which ends with the empty line. Raises HeadError (400, 414)."""
    line = _REQUEST_LINE.match(head)
    if line is None:
        if head.find(b"\r\n") > TARGET_BYTES:
            raise HeadError("request target too long", 414)
        raise HeadError("malformed request line")
    method, target, minor = line.groups()
    if len(target) > TARGET_BYTES:
        raise HeadError("request target too long", 414)
    if not _clean_lines(head):
        raise HeadError("malformed request head")
    parsed = RequestHead(method, target, 1 if minor == b"1" else 0, _fields(head, line.end()))
    _request_rules(parsed)
    return parsed


def _request_rules(head: RequestHead) -> None:
    values = head.fields.values
    if head.method == b"CONNECT":
        raise HeadError("CONNECT is not relayed")
    if b"upgrade" in values:
        raise HeadError("upgrade is not relayed: WebSocket and tunnel traffic cannot be metered")
    if head.minor and b"host" not in values:
        raise HeadError("a request needs exactly one Host field")
    if head.fields.repeated:
        _declared_once(head.fields)
    if head.fields.connection().lower().find(b"close") >= 0:
        head.wants_close = True
    if b"expect" in values:
        if values[b"expect"].lower() != b"100-continue":
            raise HeadError("unsupported Expect value")
        head.expects_continue = head.minor == 1
    length = _declared_length(values, head.minor)
    head.length = 0 if length == UNTIL_CLOSE else length


def _declared_once(fields: Fields) -> None:
    """Raise HeadError where a field that decides what the message is stands there twice, be it twice the same."""
    for name in (b"host", b"content-length", b"transfer-encoding", b"expect"):
        if fields.names.count(name) > 1:
            raise HeadError(f"repeated {name.decode().title()} field")


def _declared_length(values: dict[bytes, bytes], minor: int) -> int:
    """Return the body length that the fields declare: bytes, CHUNKED, or UNTIL_CLOSE where they declare none."""
    length = values.get(b"content-length")
    coding = values.get(b"transfer-encoding")
    if coding is not None:
        if length is not None:
            raise HeadError("Transfer-Encoding together with Content-Length")
        if coding.lower() != b"chunked" or not minor:
            raise HeadError("unsupported Transfer-Encoding")
        return CHUNKED
    if length is None:
        return UNTIL_CLOSE
    if not _LENGTH.fullmatch(length):
        raise HeadError("bad Content-Length")
    return int(length)


_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2}(?: [\t\x20-\x7e\x80-\xff]*)?)\r\n")
_NO_BODY: Final = frozenset({204, 304})


class _Collector:
    """Takes fields from the parser without a Python call for each; a repeated name keeps its last value."""

    __slots__ = ("on_header",)

    def __init__(self, values: dict[bytes, bytes]) -> None:
        self.on_header = values.__setitem__


def parse_response(head: bytes, *, head_request: bool) -> ResponseHead:
    """Return the response head in `head`, which ends with the empty line. Raises HeadError, whose status is moot.

    `head_request` says that the request was HEAD, whose response has no body whatever it declares. A status of 1xx, 204
    or 304 has none either (RFC 9112 section 6.3).

    Unlike a client's, a provider's head is new each time (dates, ids, remaining limits) and has twenty fields of which
    five matter, so the C parser judges the grammar and collects the fields of the lower-cased head, and the original
    bytes go on to the client.
    """
    line = _STATUS_LINE.match(head)
    if line is None:
        raise HeadError("malformed status line", 502)
    minor, status_text = line.groups()
    lowered = b"HTTP/1.%b%b" % (minor, head[8:].lower())
    values: dict[bytes, bytes] = {}
    try:
        httptools.HttpResponseParser(_Collector(values)).feed_data(lowered)
    except httptools.HttpParserUpgrade:
        raise HeadError("provider switched protocols", 502) from None
    except httptools.HttpParserError:
        raise HeadError("malformed response head", 502) from None
    connection = values.get(b"connection", b"")
    if lowered.count(b"\n") - 2 != len(values):
        _framed_once(lowered)
        connection = b",".join(_CONNECTION_LINE.findall(lowered))
    parsed = ResponseHead(status_text, 1 if minor == b"1" else 0, values, head[line.end() - 2 : -4])
    length = _declared_length(values, parsed.minor)
    if head_request or parsed.status < 200 or parsed.status in _NO_BODY:
        length = 0
    parsed.length = length
    lasting = parsed.minor or connection.find(b"keep-alive") >= 0
    parsed.wants_close = length == UNTIL_CLOSE or not lasting or connection.find(b"close") >= 0
    return parsed


def _framed_once(lowered: bytes) -> None:
    for name in (b"content-length", b"transfer-encoding"):
        if lowered.count(b"\n%b:" % name) > 1:
            raise HeadError("repeated framing field", 502)
