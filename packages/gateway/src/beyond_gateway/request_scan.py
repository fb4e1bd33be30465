"""Reads root-level `model` and `stream` beside the relay of a request body, never delaying it (gw contract, relay).

Up to 1 MiB the passing chunks are kept by reference and decoded once at the end: a typed msgspec decode that builds
nothing skips at gigabytes a second, fifteen times faster than a tokenising scan. A longer body goes through
`RootScanner`. Both must give one answer, so the scanner also reads what msgspec refuses; on everything msgspec accepts
the two agree. Hence the rule for a body that is not valid JSON: what its root object held up to there.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import msgspec

from beyond_gateway.model_scan import Member, RootScanner

HELD_BYTES: Final = 1 << 20
"""Bytes of body kept by reference; longer ones are scanned as they pass (gw contract, relay)."""

MODEL_BYTES: Final = 256
"""Longest model name reported, in bytes as sent between the quotes (gw contract, relay)."""

UNKNOWN_MODEL: Final = "unknown"
"""Reported for a model that is not a string or is too long (gw contract, relay)."""

_FOLD: Final = 256  # chunks joined into one, so that a body in 2-byte chunks costs its bytes and not 40 times them
_SURELY_SHORT: Final = MODEL_BYTES // 6  # characters of ASCII, each of which may have been sent as \\u00xx
_REFUSED: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
_NOTHING: Final = msgspec.Raw()
_MISSING: Final = Member(0, 0, b"")


class RequestFacts(NamedTuple):
    """What the gateway reads from a request body: `model`, None where the root has none; `stream`, only when `true`."""

    model: str | None
    stream: bool


class _Usual(msgspec.Struct):
    model: str = ""
    stream: bool = False


class _Any(msgspec.Struct):
    model: msgspec.Raw = _NOTHING
    stream: msgspec.Raw = _NOTHING


_decode_usual = msgspec.json.Decoder(_Usual).decode
_decode_any = msgspec.json.Decoder(_Any).decode
_decode_text = msgspec.json.Decoder(str).decode


class RequestScan:
    """Facts of one request body, fed as it passes; and the body itself while it is at most 1 MiB.

    `feed` takes each chunk, `finish` gives the facts, `held` the body, `release` lets its bytes go. Raises nothing.
    """

    __slots__ = ("_chunks", "_facts", "_fold_at", "_scanner", "_size")

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._fold_at = _FOLD
        self._scanner: RootScanner | None = None
        self._facts: RequestFacts | None = None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body. After `finish` they change nothing."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > HELD_BYTES or self._scanner is not None:
            self._scan(2 * len(chunk))
        elif len(self._chunks) >= self._fold_at:
            self._fold()

    def take(self, body: bytes) -> None:
        """Take a whole body at once, in place of `feed`; its facts are known from then on."""
        self._size = len(body)
        self._facts = body_facts(body)
        if self._size <= HELD_BYTES:
            self._chunks.append(body)
        else:
            self._scanner = root_scanner()

    def finish(self) -> RequestFacts:
        """Return the facts of the bytes fed so far. The first call settles them; later ones return the same."""
        if self._facts is None:
            body = self.held()
            if body is None:
                self._facts = scan_facts(self._scan(self._size))
            else:
                self._facts = body_facts(body)
        return self._facts

    def held(self) -> bytes | None:
        """Return the whole body so far; None once it is over 1 MiB or released."""
        if self._scanner is not None:
            return None
        if not self._chunks:
            return b""
        if len(self._chunks) > 1:
            self._chunks = deque((b"".join(self._chunks),))
            self._fold_at = _FOLD
        return self._chunks[0]

    @property
    def held_bytes(self) -> int:
        """Bytes of body in memory: the whole body, or what of a longer one still waits to be scanned."""
        return sum(map(len, self._chunks))

    def release(self) -> None:
        """Let the body's bytes go. Facts not yet asked for are still found, also with chunks that follow."""
        self._scan(self._size)

    def _fold(self) -> None:
        recent = [self._chunks.pop() for _ in range(_FOLD)]
        self._chunks.append(b"".join(reversed(recent)))
        self._fold_at = len(self._chunks) + _FOLD

    def _scan(self, budget: int) -> RootScanner:
        # Crossing 1 MiB leaves as much to scan, 10 ms at once if done on the spot. Twice what has just come in is
        # scanned instead, so the backlog shrinks with every chunk and no other stream waits for it.
        scanner = self._scanner = self._scanner or root_scanner()
        while self._chunks and budget > 0:
            chunk = self._chunks.popleft()
            budget -= len(chunk)
            if self._facts is None:
                scanner.feed(chunk)
        return scanner


def root_scanner() -> RootScanner:
    """Return a fresh scanner for the facts of a long body."""
    return RootScanner((b"model", b"stream"), MODEL_BYTES + 2)


def body_facts(body: bytes) -> RequestFacts:
    """Return the facts of a whole body. Raises nothing."""
    try:
        usual = _decode_usual(body)
    except _REFUSED:
        return _careful_body_facts(body)
    model = usual.model
    if 0 < len(model) <= _SURELY_SHORT and model.isascii():
        return RequestFacts(model, usual.stream)
    return _careful_body_facts(body)


def _careful_body_facts(body: bytes) -> RequestFacts:
    try:
        root = _decode_any(body)
    except _REFUSED:
        scanner = root_scanner()
        scanner.feed(body)
        return scan_facts(scanner)
    return RequestFacts(_model(bytes(root.model)), bytes(root.stream) == b"true")


def scan_facts(scanner: RootScanner) -> RequestFacts:
    """Return the facts of the body that went through `scanner`; for any body those of `body_facts`."""
    found = scanner.members
    return RequestFacts(_model(found.get(b"model", _MISSING).raw), found.get(b"stream", _MISSING).raw == b"true")


def _model(raw: bytes) -> str | None:
    if not raw:
        return None
    if raw[:1] != b'"' or len(raw) > MODEL_BYTES + 2:
        return UNKNOWN_MODEL
    try:
        return _decode_text(raw)
    except _REFUSED:
        return UNKNOWN_MODEL
