"""Asks a provider for the usage of a streamed chat answer, and leaves every other byte of the body as sent.

Managed streams need `stream_options.include_usage: true` (gw contract, relay). Re-encoding the body would change bytes
the client chose (number spellings, key order, escapes), and a second root key would leave it to each provider's parser
which one counts. So one value is edited where it stands, the last of its name at both levels, and only where there is
none a member is added, at the front.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from beyond_gateway.model_scan import Member, RootScanner

_OPTIONS: Final = b"stream_options"
_INCLUDE: Final = b"include_usage"
_WANTED: Final = b'{"include_usage":true}'
_ADDED: Final = b'"stream_options":' + _WANTED
_SPACE: Final = b" \t\r\n"
_SCALAR: Final = 8  # bytes of a scalar worth keeping: enough to tell `true` from all else
_NOTHING: Final = msgspec.Raw()


class Ask(NamedTuple):
    """A chat body made fit for metering.

    `body` is the same object where nothing had to change. `streaming` says that the answer will be a stream;
    `hide_usage_event` that the client had not asked for its usage event and must not see it.
    """

    body: bytes
    hide_usage_event: bool
    streaming: bool


class _Root(msgspec.Struct):
    stream: msgspec.Raw = _NOTHING
    stream_options: msgspec.Raw = _NOTHING


_decode_root = msgspec.json.Decoder(_Root).decode


def ask_for_usage(body: bytes) -> Ask:
    """Return the body of an OpenAI `/chat/completions` request with usage asked for where it streams.

    A body that does not stream, or is no JSON object, comes back unchanged. Raises nothing. A body that msgspec refuses
    (lone surrogates, deep nesting, NaN) may still be read by a provider, so its structure alone decides.
    """
    try:
        root = _decode_root(body)
    except (msgspec.MsgspecError, RecursionError):
        return _ask_by_structure(body)
    if bytes(root.stream) != b"true":
        return Ask(body, hide_usage_event=False, streaming=False)
    options = bytes(root.stream_options)
    if not options:
        return _edited(body, None)
    if _asks(options):
        return Ask(body, hide_usage_event=False, streaming=True)
    scanner = RootScanner((_OPTIONS,), _SCALAR)
    scanner.feed(body)
    return _edited(body, scanner.members[_OPTIONS])


def _ask_by_structure(body: bytes) -> Ask:
    scanner = RootScanner((b"stream", _OPTIONS), _SCALAR)
    scanner.feed(body)
    stream = scanner.members.get(b"stream")
    if scanner.end is None or body[scanner.end :].strip(_SPACE) or stream is None or stream.raw != b"true":
        return Ask(body, hide_usage_event=False, streaming=False)
    options = scanner.members.get(_OPTIONS)
    if options is not None and _asks(body[options.start : options.end]):
        return Ask(body, hide_usage_event=False, streaming=True)
    return _edited(body, options)


def _asks(options: bytes) -> bool:
    found = _include_usage(options)
    return found is not None and found.raw == b"true"


def _include_usage(options: bytes) -> Member | None:
    scanner = RootScanner((_INCLUDE,), _SCALAR)
    scanner.feed(options)
    return scanner.members.get(_INCLUDE)


def _edited(body: bytes, options: Member | None) -> Ask:
    if options is None:
        at = body.index(b"{") + 1
        edited = b"%b%b,%b" % (body[:at], _ADDED, body[at:])  # never the only member: `stream` is there
    else:
        value = _forced(body[options.start : options.end])
        edited = b"".join((body[: options.start], value, body[options.end :]))
    return Ask(edited, hide_usage_event=True, streaming=True)


def _forced(options: bytes) -> bytes:
    if options[:1] != b"{":
        return _WANTED
    found = _include_usage(options)
    if found is not None:
        return b"".join((options[: found.start], b"true", options[found.end :]))
    comma = b"," if options[1:-1].strip(_SPACE) else b""
    return b'{"include_usage":true%b%b' % (comma, options[1:])
