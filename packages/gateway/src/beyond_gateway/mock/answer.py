"""From a whole request to the answer's status, headers and body parts; no I/O."""

import zlib
from collections.abc import Iterable, Iterator

import msgspec

from beyond_gateway.mock.ask import Body
from beyond_gateway.mock.directives import DirectiveError, Directives, parse_directives
from beyond_gateway.mock.endpoints import Endpoint, find
from beyond_gateway.mock.frames import Json, encode
from beyond_gateway.mock.http1 import Request
from beyond_gateway.mock.plan import FILLER, Ask, plan
from beyond_gateway.mock.script import Script
from beyond_gateway.mock.small import InputBody, form_model
from beyond_gateway.mock.vendor import (
    Headers,
    Vendor,
    answer_headers,
    credential,
    error_body,
    error_message,
    missing_key_message,
)

_FILLER_BLOCK = b"x" * 65_536
_BODY = msgspec.json.Decoder(Body)
_INPUT = msgspec.json.Decoder(InputBody)


class Answer(msgspec.Struct):
    """What goes to the client; `parts` is consumed once, `length` is None when the size is not known beforehand."""

    status: int
    headers: Headers
    parts: Iterable[bytes]
    length: int | None
    directives: Directives
    sse: bool = False


class _Refusal(Exception):  # noqa: N818 - a refusal is an ordinary answer here, not a fault
    """Ends the steps with an error answer."""

    def __init__(self, status: int, message: str, directives: Directives | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.directives = directives or Directives()


def answer(request: Request, script: Script, serial: int) -> Answer:
    """Return the answer to a request whose body is complete, or whose `early` directive asks not to wait for it."""
    anthropic = "anthropic-version" in request.header
    endpoint = find(request.method, request.path, anthropic=anthropic)
    vendor: Vendor = endpoint.vendor if endpoint else "anthropic" if anthropic else "openai"
    request_id = f"req_mock{serial:08d}"
    try:
        reply = _steps(request, endpoint, vendor, script, serial)
    except _Refusal as refusal:
        body = encode(error_body(vendor, refusal.status, refusal.message, request_id))
        reply = Answer(refusal.status, [], [body], len(body), refusal.directives)
    reply.headers = _headers(reply, vendor, request, request_id)
    return _dressed(reply)


def _steps(request: Request, endpoint: Endpoint | None, vendor: Vendor, script: Script, serial: int) -> Answer:
    if not endpoint:
        raise _Refusal(404, f"Unknown request URL: {request.method} {request.path}.")
    if not credential(request.header, request.query):
        raise _Refusal(401, missing_key_message(vendor))
    body, asked = _decode(request, endpoint)
    model = asked.model if asked else body.model if body else ""
    directives = _directives(request, model)
    if directives.early:
        raise _Refusal(400, "The request was refused before its body was read.", directives)
    entry = script.take(body.user_text, request.path) if body else None
    if entry:
        directives = msgspec.structs.replace(directives, status=entry.status, stall=entry.delay)
    _refuse_on_demand(directives, credential(request.header, request.query))
    if endpoint.fixed:
        return _json(endpoint.fixed(), directives)
    if not model:
        raise _Refusal(400, "you must provide a model parameter", directives)
    if asked and endpoint.plain:
        named = msgspec.structs.replace(asked, model=directives.resolved or model)
        return _json(endpoint.plain(named), directives)
    ask = Ask(body or Body(), directives, plan(body or Body(), directives, entry), serial)
    if endpoint.frames and ask.body.stream:
        return Answer(directives.status, [], _stream(endpoint, ask), None, directives, sse=True)
    return _json(endpoint.body(ask) if endpoint.body else {}, directives)


def _decode(request: Request, endpoint: Endpoint) -> tuple[Body | None, InputBody | None]:
    """Return the body by its endpoint's type; an early answer has only what arrived, so its model comes from there."""
    if endpoint.fixed:
        return None, None
    if request.peeked.early:
        return None, InputBody()
    try:
        if not endpoint.plain:
            return _BODY.decode(request.body), None
        if request.header.get("content-type", "").startswith("multipart/"):
            return None, InputBody(model=form_model(bytes(request.body)))
        return None, _INPUT.decode(request.body)
    except msgspec.DecodeError as fault:
        raise _Refusal(400, f"We could not parse the JSON body of your request: {fault}") from None


def _directives(request: Request, model: str) -> Directives:
    try:
        return request.peeked if request.peeked.early else parse_directives(model, request.query)
    except DirectiveError as fault:
        raise _Refusal(400, str(fault)) from None


def _refuse_on_demand(directives: Directives, key: str) -> None:
    status = directives.status
    if directives.echo_key:
        raise _Refusal(status if status >= 400 else 401, f"Incorrect API key provided: {key}.", directives)
    if status >= 400:
        raise _Refusal(status, error_message(status), directives)


def _json(payload: Json, directives: Directives) -> Answer:
    if directives.status in (204, 304):
        return Answer(directives.status, [], [], 0, directives)
    body = encode(payload)
    if not directives.bytes or FILLER.encode() not in body:
        return Answer(directives.status, [], [body], len(body), directives)
    head, tail = body.split(FILLER.encode())
    size = max(directives.bytes, len(head) + len(tail))
    return Answer(directives.status, [], _filled(head, size - len(head) - len(tail), tail), size, directives)


def _filled(head: bytes, filler: int, tail: bytes) -> Iterator[bytes]:
    yield head
    for at in range(0, filler, len(_FILLER_BLOCK)):
        yield _FILLER_BLOCK[: filler - at]
    yield tail


def _stream(endpoint: Endpoint, ask: Ask) -> Iterator[bytes]:
    """Return the endpoint's frames, broken off by an error event where the directive says so."""
    deltas = 0
    for sent, frame in enumerate(endpoint.frames(ask) if endpoint.frames else ()):
        if frame.delta and ask.directives.error_event == deltas:
            yield endpoint.error_frame(sent).data
            return
        deltas += frame.delta
        yield frame.data


def _headers(reply: Answer, vendor: Vendor, request: Request, request_id: str) -> Headers:
    directives = reply.directives
    kind = "text/event-stream; charset=utf-8" if reply.sse else "application/json"
    headers = [("content-type", kind), *answer_headers(vendor, request_id)]
    if directives.retry_after is not None:
        headers.append(("retry-after", str(directives.retry_after)))
    if directives.echo_key:
        headers.append(("x-received-key", credential(request.header, request.query)))
    if directives.gzip:
        headers.append(("content-encoding", "gzip"))
    if directives.hop:
        headers += [("connection", "x-hop"), ("x-hop", "1"), ("keep-alive", "timeout=5")]
    if directives.beyond_header:
        headers += [("x-beyond-request-id", "from-upstream"), ("X-Beyond-Cost", "1")]
    return headers


def _dressed(reply: Answer) -> Answer:
    """Return the same answer, compressed and re-cut as its directives say."""
    directives = reply.directives
    if directives.gzip:
        reply.parts = _compressed(reply.parts)
        reply.length = None
    if directives.chunk:
        reply.parts = _recut(reply.parts, directives.chunk)
    if directives.length and reply.length is None and not reply.sse:
        reply.parts = tuple(reply.parts)
        reply.length = sum(map(len, reply.parts))
    return reply


def _compressed(parts: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for part in parts:
        yield packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


def _recut(parts: Iterable[bytes], size: int) -> Iterator[bytes]:
    for part in parts:
        yield from (part[at : at + size] for at in range(0, len(part), size))
