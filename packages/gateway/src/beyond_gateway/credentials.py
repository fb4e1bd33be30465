"""Find every credential of a request, and take every one out again.

A managed key wins wherever it stands, so that a stray vendor key can neither bypass the deny-set nor, worse, carry the
managed key to a vendor as if it were the caller's own. For the same reason a value that merely contains a managed key,
or has an unknown version, counts as managed: it is then refused as invalid instead of being forwarded.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

import msgspec

# Lower-case header names that carry a credential, and how each is called (gw contract, credentials).
CREDENTIAL_HEADERS = {
    b"x-api-key": "x-api-key",
    b"api-key": "api-key",
    b"x-goog-api-key": "x-goog-api-key",
    b"authorization": "authorization",
}
# Among a caller's own keys; before all of these comes x-api-key, then any sk-ant- key.
_PRECEDENCE = ("api-key", "x-goog-api-key", "authorization", "query")

_MANAGED = re.compile(rb"\Abai_v|bai_v[0-9]+\.")
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr][ \t]+(.*)", re.DOTALL)
# The name `key` in any case and any mixture of percent-encodings.
_KEY_NAME = rb"(?:k|%6b|%4b)(?:e|%65|%45)(?:y|%79|%59)"
_KEY_PARAMETER = re.compile(rb"(?:\A|&)" + _KEY_NAME + rb"=([^&]+)", re.IGNORECASE)
_IS_KEY = re.compile(_KEY_NAME + rb"(?:=|\Z)", re.IGNORECASE)
_BLANK = b" \t\r\n"
# Managed keys are never percent-encoded by an honest client; more rounds than this are somebody hiding something.
_DECODE_ROUNDS = 4


class Credential(msgspec.Struct, frozen=True):
    """A credential as found: `location` is a header's name or `query`. Its repr does not show the value."""

    value: bytes
    location: str
    managed: bool

    def __repr__(self) -> str:
        return f"Credential(location={self.location!r}, managed={self.managed})"


def find(headers: Iterable[tuple[bytes, bytes]], query: bytes) -> Credential | None:
    """Return the credential that decides this request, or None.

    `headers` have lower-case names; `query` is the target's, without its `?`. A managed value wins over all others;
    among a caller's own, `x-api-key` wins, then any `sk-ant-` key, since both must reach Anthropic only.
    """
    best: Credential | None = None
    for name, value in headers:
        if name in CREDENTIAL_HEADERS:
            found = _from_header(name, value)
            if found is not None and (best is None or _rank(found) < _rank(best)):
                best = found
    if query:
        for match in _KEY_PARAMETER.finditer(query):
            found = _credential(unquote_to_bytes(match[1]), "query")
            if found is not None and (best is None or _rank(found) < _rank(best)):
                best = found
    return best


def _from_header(name: bytes, value: bytes) -> Credential | None:
    if name == b"authorization":
        match = _BEARER.match(value)
        if match is None:
            return None
        value = match[1]
    return _credential(value, CREDENTIAL_HEADERS[name])


def _credential(value: bytes, location: str) -> Credential | None:
    value = value.strip(_BLANK)
    return Credential(value, location, _is_managed(value)) if value else None


def _is_managed(value: bytes) -> bool:
    if value.startswith(b"bai_v"):
        return True
    lowered = value.lower()
    return lowered.find(b"bai_v") >= 0 and _MANAGED.search(lowered) is not None


def _rank(credential: Credential) -> int:
    if credential.managed:
        return 0
    if credential.location == "x-api-key":
        return 1
    if credential.value.startswith(b"sk-ant-"):
        return 2
    return _PRECEDENCE.index(credential.location) + 3


def strip_query(query: bytes) -> bytes:
    """Return the query without any `key` parameter, however its name is spelt; the others byte for byte in order."""
    return b"&".join(part for part in query.split(b"&") if not _IS_KEY.match(part))


def strip_target(path: bytes) -> bytes:
    """Return the path without any `key` parameter in its query, and without a `?` that would stand before nothing."""
    head, mark, query = path.partition(b"?")
    kept = strip_query(query)
    return head + mark + kept if kept or not query else head


def contains_managed(data: bytes) -> bool:
    """Whether a managed key stands in `data` under any number of percent-encodings, or the encoding hides too deep.

    For what is left of a managed request's target and header values, which are refused with 400 when this is true: a
    managed key must not reach a provider in any byte.
    """
    for _ in range(_DECODE_ROUNDS):
        if data.lower().find(b"bai_v") >= 0:
            return True
        if data.find(b"%") < 0:
            return False
        decoded = unquote_to_bytes(data)
        if decoded == data:
            return False
        data = decoded
    return True
