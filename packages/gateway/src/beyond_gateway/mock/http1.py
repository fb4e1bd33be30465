"""HTTP/1.1 for the provider: requests out of received bytes, heads and chunks of answers. No I/O."""

import re
from http import HTTPStatus
from typing import NamedTuple, Protocol

import httptools

from beyond_gateway.mock.directives import DirectiveError, Directives, parse_directives
from beyond_gateway.mock.record import Recorded

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"
_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]*)"')


class Request:
    """One request while it arrives."""

    def __init__(self, recorded: Recorded, *, keep_alive: bool, http10: bool = False) -> None:
        self.recorded = recorded
        self.keep_alive = keep_alive
        self.http10 = http10  # the client cannot read chunks
        self.method = recorded.method
        self.path, _, self.query = recorded.target.partition("?")
        self.header = {name.lower(): value for name, value in recorded.headers}
        self.body = bytearray()
        self.peeked = self._peek(b"")  # directives known before the body is complete

    @property
    def ready(self) -> bool:
        """True when the request can be answered: it is complete, or asked not to be waited for."""
        return self.recorded.complete or self.peeked.early

    @property
    def expects_continue(self) -> bool:
        """True when the client waits for 100 before it sends the body."""
        return self.header.get("expect", "").lower() == "100-continue"

    def take(self, data: bytes) -> None:
        """Add body bytes; the first ones may already tell the model."""
        if not self.body:
            self.peeked = self._peek(data)
        self.body += data
        self.recorded.take(data)

    def _peek(self, data: bytes) -> Directives:
        found = _MODEL.search(data)
        try:
            return parse_directives(found[1].decode() if found else "", self.query)
        except (DirectiveError, UnicodeDecodeError):
            return Directives()  # the whole body will tell what is wrong


class Head(NamedTuple):
    """What stands before a request's body; header names as spelled, in order."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    keep_alive: bool
    http10: bool


class Receiver(Protocol):
    """Who wants to know about requests: called as they arrive, from `RequestParser.feed`."""

    def request_started(self, head: "Head") -> None:
        """Hear that a head is complete."""
        ...

    def request_data(self, data: bytes) -> None:
        """Hear body bytes of the request that started last."""
        ...

    def request_finished(self) -> None:
        """Hear that the body of that request is complete."""
        ...


class RequestParser:
    """Cuts received bytes into requests, pipelined ones too; `feed` raises httptools' errors on bad HTTP."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._parser = httptools.HttpRequestParser(self)
        self.feed = self._parser.feed_data
        self._target = b""
        self._headers: list[tuple[str, str]] = []

    def on_message_begin(self) -> None:  # noqa: D102 - httptools' callback
        self._target, self._headers = b"", []

    def on_url(self, url: bytes) -> None:  # noqa: D102 - httptools' callback
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102 - httptools' callback
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:  # noqa: D102 - httptools' callback
        head = Head(
            self._parser.get_method().decode(),
            self._target.decode("latin-1"),
            self._headers,
            self._parser.should_keep_alive(),
            self._parser.get_http_version() == "1.0",
        )
        self._receiver.request_started(head)

    def on_body(self, data: bytes) -> None:  # noqa: D102 - httptools' callback
        self._receiver.request_data(data)

    def on_message_complete(self) -> None:  # noqa: D102 - httptools' callback
        self._receiver.request_finished()


def response_head(status: int, headers: list[tuple[str, str]], *, http10: bool = False) -> bytes:
    """Return the status line and headers, with the blank line that ends them."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.{int(not http10)} {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunk(data: bytes, extension: str = "") -> bytes:
    """Return the data as one HTTP chunk; empty data gives nothing, because an empty chunk would end the body."""
    return f"{len(data):x}{extension}\r\n".encode() + data + b"\r\n" if data else b""


def last_chunk(trailers: list[tuple[str, str]]) -> bytes:
    """Return the end of a chunked body, with these trailer fields."""
    return b"0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in trailers).encode() + b"\r\n"
