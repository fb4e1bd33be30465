r"""Finding things in JSON text that is cut anywhere, where no parser can run.

All rests on one property of valid JSON: a quote inside a string is written with a backslash before it. So the bytes
`"usage"` followed by a colon are a key, wherever the text was cut; the same word inside a string reads `\"usage\"`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from beyond_wire.envelope import decode_usage, model_from_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_wire.envelope import Usage

STRING_BODY = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
"""A JSON string between its quotes (RFC 8259, section 7); possessive, so that no input makes it backtrack."""

_BACKSLASH = 0x5C
_USAGE_KEY = b'"usage"'
_USAGE_OPENS = re.compile(rb'"usage"\s*+:\s*+(?=\{)')
# The closing quote is optional: a string that is cut off is one token to the end, not a new start at each quote in it.
_TOKEN = re.compile(rb'"(' + STRING_BODY + rb')(?:("\s*+:)|("))?+|[{}\[\],]', re.DOTALL)
_SHORT_ESCAPE = re.compile(rb"\\[^u]", re.DOTALL)
_ONE_BYTE_ESCAPE = re.compile(rb"\\u00[0-7][0-9a-fA-F]")
_TWO_BYTE_ESCAPE = re.compile(rb"\\u(?:0[0-7]|[dD][89a-fA-F])[0-9a-fA-F]{2}")
_THREE_BYTE_ESCAPE = re.compile(rb"\\u[0-9a-fA-F]{4}")

# The largest usage object seen is under 1 KiB. Both bounds keep hostile text linear: at most 32 objects of 8 KiB.
_MAX_USAGE_BYTES = 8 * 1024
_MAX_CANDIDATES = 32

_OPENERS = frozenset({b"{", b"["})
_CLOSERS = frozenset({b"}", b"]"})
_MODEL_HOLDERS = frozenset({b"message", b"response"})

_T = TypeVar("_T")


def last_usage_object(text: bytes, read: Callable[[Usage], _T | None]) -> _T | None:
    """Return what `read` makes of the last complete `"usage"` object outside a string for which it is not None.

    `text` is the end of a JSON text, cut anywhere. A tool schema may have a property named usage; `read` refuses it
    and the search goes on towards the start.
    """
    attempts = 0
    at = text.rfind(_USAGE_KEY)
    while at >= 0 and attempts < _MAX_CANDIDATES:
        opens = _USAGE_OPENS.match(text, at)
        if opens is not None and text[at - 1 : at] != b"\\":
            attempts += 1
            found = decode_usage(_balanced(text, opens.end()))
            facts = None if found is None else read(found)
            if facts is not None:
                return facts
        at = text.rfind(_USAGE_KEY, 0, at)
    return None


def model_in_fragment(text: bytes) -> str | None:
    """Model name in the start of a JSON object, cut anywhere: at its root, else under `message` or `response`."""
    path: list[bytes] = []
    key = b""
    nested: str | None = None
    for token in _TOKEN.finditer(text):
        opener = token[0]
        if opener in _OPENERS:
            path.append(key)
            key = b""
        elif opener in _CLOSERS:
            del path[-1:]
        elif opener == b",":
            key = b""
        elif token[2]:
            key = token[1]
        elif token[3] and key == b"model":
            model = model_from_body(b'{"model":' + opener + b"}")
            if len(path) == 1 and model is not None:
                return model
            if len(path) == 2 and path[1] in _MODEL_HOLDERS:
                nested = nested or model
            key = b""
    return nested


def utf8_length(string_body: bytes) -> int:
    """Bytes that a JSON string has as UTF-8 text, given what stands between its quotes."""
    if _BACKSLASH not in string_body:
        return len(string_body)
    # Short ones first: they take `\\` away, so that every backslash left begins a `\u`.
    text = _SHORT_ESCAPE.sub(b"1", string_body)
    if _BACKSLASH in text:
        text = _ONE_BYTE_ESCAPE.sub(b"1", text)
        text = _TWO_BYTE_ESCAPE.sub(b"22", text)  # half of a surrogate pair, too, is half of a 4-byte character
        text = _THREE_BYTE_ESCAPE.sub(b"333", text)
    return len(text)


def _balanced(text: bytes, start: int) -> bytes:
    """Return the object that opens at `start`; empty when it does not close within bounds."""
    depth = 0
    for token in _TOKEN.finditer(text, start, start + _MAX_USAGE_BYTES):
        word = token[0]
        if word == b"{":
            depth += 1
        elif word == b"}":
            depth -= 1
            if depth == 0:
                return text[start : token.end()]
    return b""
