"""What two peers may say in a free play: requests and answers of every kind, each with a number that tells them apart.

The number stands in the target of a request and in a field of its answer, so that whoever gets bytes that are not his
is found out.
"""

from __future__ import annotations

import gzip
from functools import partial
from typing import NamedTuple

from exchanges import (
    ASKED,
    CHAT_PATH,
    COMPLETION,
    DELTA,
    DONE,
    RESPONSE,
    RESPONSE_ASKED,
    RESPONSES_PATH,
    STREAMED,
    USAGE_EVENT,
    WITH_USAGE,
    chunked,
    post,
)
from playbook import BYO, KEY, POOL

_LONG = b'{"model":"m","input":"' + b"x" * 200_000 + b'"}'
_STARS = b"*" * len(POOL)


class Ask(NamedTuple):
    """One request. `hides` says that its client has not asked for the usage event; `ends` that none can follow it."""

    number: int
    data: bytes
    managed: bool = True
    hides: bool = False
    method: bytes = b"POST"
    minor: int = 1
    ends: bool = False


def ask(kind: int, number: int) -> Ask:
    """Return a request of one of the kinds below."""
    kinds = (_chat, _stream, _responses, _own, _odd, _refused, _malformed)
    return kinds[kind % len(kinds)](kind // len(kinds), number)


def _chat(kind: int, number: int) -> Ask:
    return Ask(number, post(b"%b?m=%d" % (CHAT_PATH, number), ASKED, chunks=bool(kind % 2)))


def _stream(kind: int, number: int) -> Ask:
    body, minor = ((STREAMED, 1), (WITH_USAGE, 1), (STREAMED, 0))[kind % 3]
    data = post(b"%b?m=%d" % (CHAT_PATH, number), body, minor=minor)
    return Ask(number, data, hides=body is STREAMED, minor=minor, ends=not minor)


def _responses(kind: int, number: int) -> Ask:
    body = (RESPONSE_ASKED, _LONG)[kind // 2 % 2]
    fields = (b"Expect: 100-continue",) if kind // 4 % 2 else ()
    return Ask(number, post(b"%b?m=%d" % (RESPONSES_PATH, number), body, *fields, chunks=bool(kind % 2)))


def _own(kind: int, number: int) -> Ask:
    body = (STREAMED, ASKED, _LONG)[kind // 2 % 3]
    path = (CHAT_PATH, RESPONSES_PATH)[kind // 6 % 2]
    return Ask(number, post(b"%b?m=%d" % (path, number), body, key=BYO, chunks=bool(kind % 2)), managed=False)


def _odd(kind: int, number: int) -> Ask:
    """Requests without a body, of other methods, and the last of a connection."""
    path = b"/openai/v1/models?m=%d" % number
    lines = (
        b"GET %b HTTP/1.1\r\nHost: gw",
        b"HEAD %b HTTP/1.1\r\nHost: gw",
        b"GET %b HTTP/1.0",
        b"\r\nGET %b HTTP/1.1\r\nConnection: close\r\nHost: gw",
    )[kind % 4]
    data = lines % path + b"\r\nAuthorization: Bearer %b\r\n\r\n" % BYO
    return Ask(number, data, managed=False, method=lines.split()[0], minor=int(kind % 4 != 2), ends=kind % 4 > 1)


def _refused(kind: int, number: int) -> Ask:
    """What is answered by the gateway itself, with a body that is thrown away."""
    target, key, body = (
        (b"/nobody/v1/x", KEY, ASKED),
        (b"/openai/v1/files", KEY, _LONG),
        (RESPONSES_PATH, b"bai_v1.1.x.y", ASKED),
        (RESPONSES_PATH, b"", ASKED),
        (b"/openai/../v1/x", BYO, _LONG),
    )[kind % 5]
    data = post(b"%b?m=%d" % (target, number), body, key=key, chunks=bool(kind // 5 % 2))
    return Ask(number, data, managed=False, ends=kind % 5 == 4 or body is _LONG)


def _malformed(kind: int, number: int) -> Ask:
    """Bytes after which nothing on the connection can be read."""
    path = b"%b?m=%d" % ((CHAT_PATH, RESPONSES_PATH)[kind // 6 % 2], number)
    chunks = post(path, ASKED, chunks=True)
    data = (
        b"GET /%d HTTP/1.1\r\nA : b\r\n\r\n" % number,
        chunks.partition(b"\r\n\r\n")[0] + b"\r\n\r\nzz\r\n",
        chunks.replace(b"0\r\n\r\n", b"0\r\nno field\r\n\r\n"),
        post(path, ASKED).replace(b"Content-Length: ", b"Content-Length: 1048576000"),
        post(path, ASKED).replace(b"Content-Length", b"Transfer-Encoding: chunked\r\nContent-Length"),
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    )[kind % 6]
    return Ask(number, data, managed=kind % 6 in (1, 2), ends=True)


class Answer(NamedTuple):
    """One answer: bytes, payload, whether it is HTTP to its end (`good`), whether only a close ends it (`closes`).

    `shown` is the payload without the usage event, `decoded` that without its content coding; `last` says that nothing
    may be asked on the connection afterwards.
    """

    data: bytes
    body: bytes = b""
    status: int = 200
    good: bool = True
    closes: bool = False
    shown: bytes | None = None
    decoded: bytes | None = None
    last: bool = False

    def for_client(self, asked: Ask) -> bytes:
        """Return the payload that reaches the client of `asked`."""
        if asked.method == b"HEAD":
            return b""
        if asked.managed and self.status >= 400:
            return (self.decoded or self.body).replace(POOL, _STARS)
        return self.shown if self.shown is not None and asked.hides else self.body


def answer(kind: int, asked: Ask) -> Answer:
    """Return an answer of one of the kinds below to a request; an error echoes the key that came with it."""
    marker = b"X-Marker: %d\r\n" % asked.number
    kinds = (_json, _events, _bare, _bad)
    kind, which = divmod(kind, len(kinds) + 1)
    kind_of = kinds[which] if which < len(kinds) else partial(_error, key=POOL if asked.managed else BYO)
    said = kind_of(kind, marker)
    if asked.method != b"HEAD":
        return said
    head = _heads_of(said.data)
    return said._replace(data=head, good=True, last=b"Close" in head)


def _heads_of(data: bytes) -> bytes:
    """Return an answer up to the end of its final head."""
    end = data.index(b"\r\n\r\n") + 4
    return data[:end] + _heads_of(data[end:]) if data.startswith(b"HTTP/1.1 10") and data[end:] else data[:end]


def _json(kind: int, marker: bytes) -> Answer:
    body = (COMPLETION, RESPONSE, b"y" * 90_000)[kind % 3]
    before = (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n")[kind // 3 % 3]
    head = before + b"HTTP/1.1 200 OK\r\n" + marker
    match kind // 9 % 5:
        case 0:
            return Answer(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body), body)
        case 1:
            # What is behind an answer would be the next one, were the connection used again.
            behind = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
            return Answer(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body) + behind, body, last=True)
        case 2:
            fields = b"Connection: x, Close\r\nContent-Length: %d\r\n\r\n" % len(body)
            return Answer(head + fields + body, body, last=True)
        case 3:
            end = b"0\r\nX-Trailer: 1\r\n\r\n" if kind % 2 else b"0\r\n\r\n"
            return Answer(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body, end=end), body)
        case _:
            return Answer(head + b"\r\n" + body, body, closes=True)


def _events(kind: int, marker: bytes) -> Answer:
    failed = (b'data: {"error":{"message":"overloaded"}}',) if kind // 2 % 2 else ()
    events = [event + b"\n\n" for event in (DELTA, DELTA, *failed, USAGE_EVENT, DONE)]
    body = b"".join(events)
    shown = body.replace(USAGE_EVENT + b"\n\n", b"")
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + marker
    if kind % 2:
        return Answer(head + b"\r\n" + body, body, closes=True, shown=shown)
    return Answer(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(*events), body, shown=shown)


def _error(kind: int, marker: bytes, key: bytes) -> Answer:
    body = b'{"error":{"message":"bad key %b"}}' % key
    status, line = ((401, b"401 Key " + key), (429, b"429 Slow"), (500, b"500 Oh"), (400, b"400 No"))[kind % 4]
    head = b"HTTP/1.1 %b\r\nRetry-After: 3\r\n%b" % (line, marker)
    if kind % 4 == 3:
        packed = gzip.compress(body, mtime=0)
        head += b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
        return Answer(head + packed, packed, status, decoded=body)
    if kind // 4 % 2:
        return Answer(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body[:40], body[40:]), body, status)
    return Answer(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body), body, status)


def _bare(kind: int, marker: bytes) -> Answer:
    """Answers whose head is all."""
    line, status = ((b"204 No Content", 204), (b"304 Not Modified", 304), (b"200 OK\r\nContent-Length: 0", 200))[
        kind % 3
    ]
    return Answer(b"HTTP/1.1 %b\r\n%b\r\n" % (line, marker), status=status)


def _bad(kind: int, marker: bytes) -> Answer:
    head = b"HTTP/1.1 200 OK\r\n" + marker
    data, body = (
        (b"HTP/1.1 200 OK\r\n\r\n", b""),
        (head + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
        (head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", b"abc"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", b""),
        (head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"abc", end=b"0\r\nno field\r\n\r\n"), b"abc"),
    )[kind % 5]
    return Answer(data, body, good=False)
