"""Requests that two servers may read differently, each with the one status that it gets.

A row is (name, status, bytes). Where the status is 200 the request is odd but has one reading, and the provider
received it once at most; every other row must leave the provider untouched. Statuses of one request only: the
connection is closed behind each of the refused ones, so nothing that follows in the same bytes is ever a request.
"""

from __future__ import annotations

from stack import KEY, chat

_BODY = chat()
_AUTH = b"Authorization: Bearer " + KEY.encode() + b"\r\n"
_HOST = b"Host: gateway\r\n"
_LINE = b"POST /openai/v1/chat/completions HTTP/1.1\r\n"
_LENGTH = b"Content-Length: %d\r\n" % len(_BODY)
_SMUGGLED = b"POST /anthropic/v1/messages HTTP/1.1\r\nHost: smuggled\r\nContent-Length: 0\r\n\r\n"


_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_ONE_CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(_BODY), _BODY)


def _head(line: bytes = _LINE, *fields: bytes, host: bytes = _HOST) -> bytes:
    return line + host + _AUTH + b"".join(fields) + b"\r\n"


def _whole(line: bytes = _LINE, *fields: bytes) -> bytes:
    return _head(line, _LENGTH, *fields) + _BODY


def _chunked(body: bytes, field: bytes = b"Transfer-Encoding: chunked\r\n") -> bytes:
    return _head(_LINE, field) + body


def _target(target: bytes) -> bytes:
    return _whole(b"POST " + target + b" HTTP/1.1\r\n")


MALFORMED: list[tuple[str, int, bytes]] = [
    # The body's length.
    ("two equal lengths", 400, _whole(_LINE, _LENGTH)),
    ("two different lengths", 400, _whole(_LINE, b"Content-Length: 3\r\n")),
    ("a list of lengths", 400, _head(_LINE, b"Content-Length: 3, 3\r\n") + b"abc"),
    ("a signed length", 400, _head(_LINE, b"Content-Length: +3\r\n") + b"abc"),
    ("a negative length", 400, _head(_LINE, b"Content-Length: -1\r\n") + b"abc"),
    ("a hexadecimal length", 400, _head(_LINE, b"Content-Length: 0x3\r\n") + b"abc"),
    ("a length with a point", 400, _head(_LINE, b"Content-Length: 3.0\r\n") + b"abc"),
    ("an empty length", 400, _head(_LINE, b"Content-Length: \r\n") + b"abc"),
    ("a length above all integers", 400, _head(_LINE, b"Content-Length: 99999999999999999999\r\n") + b"abc"),
    ("a length with an underscore", 400, _head(_LINE, b"Content-Length: 1_0\r\n") + b"0123456789"),
    ("length and chunked", 400, _head(_LINE, _LENGTH, b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n" + _SMUGGLED),
    ("chunked and length", 400, _head(_LINE, _CHUNKED, b"Content-Length: 5\r\n") + b"0\r\n\r\n"),
    ("chunked twice", 400, _chunked(b"0\r\n\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
    ("chunked, chunked", 400, _chunked(b"0\r\n\r\n", b"Transfer-Encoding: chunked, chunked\r\n")),
    ("gzip, chunked", 400, _chunked(b"0\r\n\r\n", b"Transfer-Encoding: gzip, chunked\r\n")),
    ("chunked, identity", 400, _chunked(b"0\r\n\r\n", b"Transfer-Encoding: chunked, identity\r\n")),
    ("identity", 400, _chunked(_BODY, b"Transfer-Encoding: identity\r\n")),
    ("xchunked", 400, _chunked(b"0\r\n\r\n", b"Transfer-Encoding: xchunked\r\n")),
    ("quoted chunked", 400, _chunked(b"0\r\n\r\n", b'Transfer-Encoding: "chunked"\r\n')),
    ("chunked with a vertical tab", 400, _chunked(b"0\r\n\r\n", b"Transfer-Encoding: \x0bchunked\r\n")),
    ("space before the colon", 400, _chunked(b"0\r\n\r\n", b"Transfer-Encoding : chunked\r\n")),
    ("tab before the colon", 400, _chunked(b"0\r\n\r\n", b"Transfer-Encoding\t: chunked\r\n")),
    ("chunked in HTTP/1.0", 400, _head(_LINE.replace(b"1.1", b"1.0"), _CHUNKED) + b"0\r\n\r\n"),
    ("upper-case chunked", 200, _chunked(_ONE_CHUNK, b"Transfer-Encoding: CHUNKED\r\n")),
    # Chunks.
    ("chunk size that is no number", 400, _chunked(b"zz\r\n")),
    ("negative chunk size", 400, _chunked(b"-5\r\nhello\r\n0\r\n\r\n")),
    ("chunk size with 0x", 400, _chunked(b"0x5\r\nhello\r\n0\r\n\r\n")),
    ("chunk size with a space", 400, _chunked(b"5 \r\nhello\r\n0\r\n\r\n")),
    ("chunk size behind a bare LF", 400, _chunked(b"5\nhello\n0\n\n")),
    ("chunk longer than its size", 400, _chunked(b"4\r\nhello\r\n0\r\n\r\n")),
    ("chunk size above 60 bits", 400, _chunked(b"FFFFFFFFFFFFFFFFF\r\n")),
    ("chunk extension with a bare LF", 400, _chunked(b"5;a\nb\r\nhello\r\n0\r\n\r\n")),
    ("chunk extension with a bare CR", 400, _chunked(b"5;a\rb\r\nhello\r\n0\r\n\r\n")),
    ("trailer that is no field", 400, _chunked(b"0\r\nnonsense\r\n\r\n")),
    ("trailer that folds", 400, _chunked(b"0\r\nA: 1\r\n B: 2\r\n\r\n")),
    ("trailer with a bare LF", 400, _chunked(b"0\r\nA: 1\nB: 2\r\n\r\n")),
    # Lines.
    ("bare LF everywhere", 400, _whole().replace(b"\r\n", b"\n")),
    ("bare LF after the request line", 400, _LINE.replace(b"\r\n", b"\n") + _HOST + _AUTH + _LENGTH + b"\r\n" + _BODY),
    ("bare LF inside the fields", 400, _head(_LINE, b"X: 1\nTransfer-Encoding: chunked\r\n", _LENGTH) + _BODY),
    ("bare CR inside a field", 400, _head(_LINE, b"X: 1\rTransfer-Encoding: chunked\r\n", _LENGTH) + _BODY),
    ("folded field", 400, _head(_LINE, b"X: 1\r\n 2\r\n", _LENGTH) + _BODY),
    ("folded field with a tab", 400, _head(_LINE, b"X: 1\r\n\t2\r\n", _LENGTH) + _BODY),
    ("first field line folded", 400, _LINE + b" " + _HOST + _AUTH + _LENGTH + b"\r\n" + _BODY),
    ("NUL in a value", 400, _head(_LINE, b"X: a\x00b\r\n", _LENGTH) + _BODY),
    ("escape in a value", 400, _head(_LINE, b"X: a\x1bb\r\n", _LENGTH) + _BODY),
    ("DEL in a value", 400, _head(_LINE, b"X: a\x7fb\r\n", _LENGTH) + _BODY),
    ("NUL in a name", 400, _head(_LINE, b"X\x00Y: a\r\n", _LENGTH) + _BODY),
    ("empty name", 400, _head(_LINE, b": a\r\n", _LENGTH) + _BODY),
    ("line without a colon", 400, _head(_LINE, b"nonsense\r\n", _LENGTH) + _BODY),
    ("brackets in a name", 400, _head(_LINE, b"X[0]: a\r\n", _LENGTH) + _BODY),
    ("name outside ASCII", 400, _head(_LINE, b"X\xc3\xa4: a\r\n", _LENGTH) + _BODY),
    ("head above 64 KiB", 431, _head(_LINE, *[b"X-%d: %b\r\n" % (n, b"a" * 1000) for n in range(70)], _LENGTH) + _BODY),
    ("one field above 64 KiB", 431, _head(_LINE, b"X: " + b"a" * 70_000 + b"\r\n", _LENGTH) + _BODY),
    # The request line.
    ("no target", 400, _whole(b"POST  HTTP/1.1\r\n")),
    ("two spaces", 400, _whole(b"POST  /openai/v1/chat/completions HTTP/1.1\r\n")),
    ("tab instead of a space", 400, _whole(b"POST\t/openai/v1/chat/completions\tHTTP/1.1\r\n")),
    ("space in the target", 400, _target(b"/openai/v1/chat completions")),
    ("HTTP/0.9", 400, b"GET /openai/v1/models\r\n\r\n"),
    ("HTTP/2.0", 400, _whole(_LINE.replace(b"1.1", b"2.0"))),
    ("HTTP/1.2", 400, _whole(_LINE.replace(b"1.1", b"1.2"))),
    ("http/1.1", 400, _whole(_LINE.replace(b"HTTP", b"http"))),
    ("no version", 400, _whole(b"POST /openai/v1/chat/completions\r\n")),
    ("method with a bracket", 400, _whole(b"PO[T /openai/v1/chat/completions HTTP/1.1\r\n")),
    ("TLS on the plain port", 400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    ("HTTP/2 preface", 400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("target above 16 KiB", 414, _target(b"/openai/v1/" + b"a" * 17_000)),
    ("CONNECT", 400, b"CONNECT api.openai.com:443 HTTP/1.1\r\nHost: api.openai.com:443\r\n\r\n"),
    ("upgrade to WebSocket", 400, _whole(_LINE, b"Connection: Upgrade\r\nUpgrade: websocket\r\n")),
    ("upgrade without Connection", 400, _whole(_LINE, b"Upgrade: h2c\r\n")),
    ("no Host", 400, _head(_LINE, _LENGTH, host=b"") + _BODY),
    ("two Hosts", 400, _head(_LINE, b"Host: other\r\n", _LENGTH) + _BODY),
    ("unknown expectation", 400, _whole(_LINE, b"Expect: 200-ok\r\n")),
    # Targets.
    ("absolute form", 400, _target(b"http://api.openai.com/openai/v1/chat/completions")),
    ("absolute form of another host", 400, _target(b"http://evil.example/openai/v1/chat/completions")),
    ("authority form", 400, _target(b"api.openai.com:443")),
    ("asterisk form", 400, _whole(b"OPTIONS * HTTP/1.1\r\n")),
    ("no leading slash", 400, _target(b"openai/v1/chat/completions")),
    ("double slash", 400, _target(b"//openai/v1/chat/completions")),
    ("double slash inside", 400, _target(b"/openai//v1/chat/completions")),
    ("dot-dot to another provider", 400, _target(b"/openai/../anthropic/v1/messages")),
    ("encoded dot-dot", 400, _target(b"/openai/%2e%2e/anthropic/v1/messages")),
    ("half-encoded dot-dot", 400, _target(b"/openai/.%2E/anthropic/v1/messages")),
    ("encoded slash and dot-dot", 400, _target(b"/openai%2f../anthropic/v1/messages")),
    ("encoded slash in the provider", 400, _target(b"/openai%2Fv1/chat/completions")),
    ("encoded letter in the provider", 400, _target(b"/%6fpenai/v1/chat/completions")),
    ("dot segment", 400, _target(b"/openai/./v1/chat/completions")),
    ("dot-dot with a parameter", 400, _target(b"/openai/..;/anthropic/v1/messages")),
    ("backslash", 400, _target(b"/openai\\v1\\chat\\completions")),
    ("encoded backslash", 400, _target(b"/openai/v1%5cchat/completions")),
    ("fragment", 400, _target(b"/openai/v1/chat/completions#x")),
    ("encoded NUL", 400, _target(b"/openai/v1/chat/completions%00")),
    ("encoded CRLF", 400, _target(b"/openai/v1/chat/completions%0d%0aX:1")),
    ("broken escape", 400, _target(b"/openai/v1/chat/completions%zz")),
    ("byte outside ASCII", 400, _target(b"/openai/v1/ch\xc3\xa4t")),
    ("provider in upper case", 404, _target(b"/OpenAI/v1/chat/completions")),
    ("no such provider", 404, _target(b"/nobody/v1/chat/completions")),
    ("root", 404, _target(b"/")),
    ("v1beta", 404, _target(b"/v1beta/models")),
    ("v10", 404, _target(b"/v10/chat/completions")),
    ("v2", 404, _target(b"/v2/chat/completions")),
    ("one empty line before the request", 200, b"\r\n" + _whole()),
    ("body above the cap", 413, _head(_LINE, b"Content-Length: 104857601\r\n")),
]
