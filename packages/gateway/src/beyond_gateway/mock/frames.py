"""Server-sent events as the vendors write them: one JSON object a frame."""

import msgspec

Json = dict[str, object]

_encoder = msgspec.json.Encoder()


class Frame(msgspec.Struct, frozen=True):
    """One event ready for the wire; `delta` says that it carries generated content."""

    data: bytes
    delta: bool = False


def encode(payload: object) -> bytes:
    """Return the payload as compact JSON."""
    return _encoder.encode(payload)


def unnamed(payload: Json, *, delta: bool = False) -> Frame:
    """Return a frame without an event name, as Chat Completions sends it."""
    return Frame(b"data: " + encode(payload) + b"\n\n", delta)


def named(payload: Json, *, delta: bool = False) -> Frame:
    """Return a frame whose event name repeats the payload's `type`, as Responses and Messages send it."""
    return Frame(f"event: {payload['type']}\n".encode() + b"data: " + encode(payload) + b"\n\n", delta)
