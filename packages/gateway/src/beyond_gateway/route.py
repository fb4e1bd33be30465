r"""From a request target to a provider, the path that it will see, and the dialect of the answer.

Problem: `%2e%2e`, `//`, `\` or an encoded slash are read in different ways by different servers, so a target may name
one provider to the gateway and another to whatever stands before or behind it. Rewriting such a target would make the
gateway one more opinion, and would break the promise to forward the rest byte for byte. So the target is judged once,
before its first segment is read: what has one reading only is forwarded verbatim, everything else is refused with 400.
Refused anywhere in the path: dot segments and empty segments in any encoding, backslashes, encoded control characters,
broken escapes. Refused in the provider segment: any escape at all, because no provider's name needs one.
Kept: `%2F` inside a later segment, as in `/v1/models/org%2Fmodel`, which stock SDKs write; it cannot change the host.
"""

import re
from collections.abc import Mapping

import msgspec

from beyond_gateway.credentials import Credential
from beyond_gateway.errors import UNKNOWN_PROVIDER, Refusal, bad_request
from beyond_gateway.providers import Dialect, Provider

# Nearly every real target in one pass: the provider segment, segments that do not begin with a dot, a query.
# Possessive, so that a target that fails does so in linear time.
_SEGMENT = rb"[A-Za-z0-9_~:@!$&'()*+,=-][A-Za-z0-9._~:@!$&'()*+,=-]*+"
_CLEAN = re.compile(rb"/([A-Za-z0-9_~-][A-Za-z0-9._~-]*+)((?:/" + _SEGMENT + rb")*+/?)(\?[!\"$-~]*+)?")
_VISIBLE = bytes(range(0x21, 0x7F))
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9a-f]{2})")
_ESCAPED_CONTROL = re.compile(rb"%(?:[01][0-9a-f]|7f)")

NOT_ORIGIN_FORM = bad_request("request target must start with /", "bad_target")
NOT_VISIBLE = bad_request("request target has a space, a control character or a byte outside ASCII", "bad_target")
FRAGMENT = bad_request("request target has a fragment", "bad_target")
ESCAPED_PROVIDER = bad_request("provider segment of the path must not be percent-encoded", "bad_target")
BROKEN_ESCAPE = bad_request("path has a broken percent-encoding", "bad_target")
ESCAPED_CONTROL = bad_request("path has a percent-encoded control character", "bad_target")
BACKSLASH = bad_request("path has a backslash", "bad_target")
EMPTY_SEGMENT = bad_request("path has an empty segment", "bad_target")
DOT_SEGMENT = bad_request("path has a dot segment", "bad_target")


class Route(msgspec.Struct, frozen=True):
    """Where a request goes.

    `path` is what the provider sees, with its query, byte for byte as sent. `endpoint` is that path without the query,
    as the allowlist for managed keys may read it: empty where the path holds an escape or a path parameter, so that
    nothing which an upstream could read differently passes for an allowed ending.
    """

    provider: Provider
    path: bytes
    dialect: Dialect
    endpoint: bytes


def normalise(target: bytes) -> bytes | Refusal:
    """Give the target back, unchanged, when it has one reading only; else the 400 that names what is ambiguous."""
    return target if _CLEAN.fullmatch(target) else _fault(target) or target


def _fault(target: bytes) -> Refusal | None:
    """Return the first fault of a target, in linear time whatever it holds."""
    path = target.partition(b"?")[0]
    if not path.startswith(b"/"):
        return NOT_ORIGIN_FORM
    if target.translate(None, _VISIBLE):
        return NOT_VISIBLE
    if b"#" in target:
        return FRAGMENT
    if b"%" in path[1:].partition(b"/")[0]:
        return ESCAPED_PROVIDER
    lowered = path.lower()
    if _BROKEN_ESCAPE.search(lowered):
        return BROKEN_ESCAPE
    if _ESCAPED_CONTROL.search(lowered):
        return ESCAPED_CONTROL
    if b"\\" in path or b"%5c" in lowered:
        return BACKSLASH
    # `;` ends a segment for servers that know path parameters: `/..;x/` is a dot segment to them.
    decoded = lowered.replace(b"%2f", b"/").replace(b"%2e", b".").replace(b"%3b", b";")
    if b"//" in decoded:
        return EMPTY_SEGMENT
    ended = decoded.replace(b";", b"/") + b"/"
    return DOT_SEGMENT if b"/./" in ended or b"/../" in ended else None


def route(target: bytes, table: Mapping[bytes, Provider], credential: Credential | None) -> Route | Refusal:
    """Decide the provider of a request, or the 400 or 404 that it gets.

    `target` is the request target as received. `credential` matters on a bare `/v1` path only, where a caller's own
    Anthropic key goes to Anthropic whatever the path says (gw contract, routing).
    """
    match = _CLEAN.fullmatch(target)
    if match is not None:
        name, rest, query = match.groups(b"")
        endpoint = rest
    else:
        fault = _fault(target)
        if fault is not None:
            return fault
        path, mark, query = target.partition(b"?")
        query = mark + query
        name, slash, rest = path[1:].partition(b"/")
        rest = slash + rest
        endpoint = b"" if b"%" in rest or b";" in rest else rest
    if name == b"v1":
        provider = table[_default_provider(rest, credential)]
        rest, endpoint = b"/v1" + rest, b"/v1" + endpoint if endpoint or not rest else b""
    else:
        found = table.get(name)
        if found is None:
            return UNKNOWN_PROVIDER
        provider = found
        if not rest:
            rest = endpoint = b"/"
    # find(), because `in` on bytes first tries its operand as a number: four times the cost.
    anthropic = rest.endswith(b"/messages") or rest.find(b"/messages/") >= 0
    return Route(provider, rest + query if query else rest, "anthropic" if anthropic else provider.dialect, endpoint)


def _default_provider(rest: bytes, credential: Credential | None) -> bytes:
    """Name the provider of a bare /v1 path, by what follows /v1 and by whose key would go there."""
    own = credential if credential is not None and not credential.managed else None
    if own is not None and (own.location == "x-api-key" or own.value.startswith(b"sk-ant-")):
        return b"anthropic"
    return b"anthropic" if rest == b"/messages" or rest.startswith(b"/messages/") else b"openai"
