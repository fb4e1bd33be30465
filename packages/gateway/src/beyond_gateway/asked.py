"""What a request head asks for, as far as that is the same whenever the head comes.

An SDK sends the same head with every request of a client object: only the number behind Content-Length differs. Parsing
it, finding the credential and routing it cost more than all the rest of a request, and give the same result each time.
So that result is remembered by the head's bytes without the number. What may change between two requests is not in it:
whether the key still verifies, which pool key is next, how long the body is.

What we leave out: heads with a field of their own each time (a trace id) are never found and pay the full price.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_gateway import errors
from beyond_gateway.credentials import Credential, contains_managed, find, strip_target
from beyond_gateway.endpoints import is_chat, is_free
from beyond_gateway.errors import Refusal
from beyond_gateway.generations import Generations
from beyond_gateway.head_rules import RequestHead, parse_request
from beyond_gateway.headers import byo_fields, managed_fields
from beyond_gateway.route import Route, route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_gateway.endpoints import Endpoints
    from beyond_gateway.providers import Provider

REMEMBERED_HEADS: Final = 512
"""Heads remembered by a worker, about 3 MB with what was found in them. A flood of others displaces none in use."""
REMEMBERED_BYTES: Final = 2048
"""Longest head that is remembered: an SDK's has 600 to 900 bytes."""

_LENGTH_FIELD: Final = re.compile(rb"\r\ncontent-length: ?([0-9]{1,18})\r\n", re.IGNORECASE)
_KEY_IN_TARGET: Final = errors.bad_request("a managed key stands in the request target", "key_in_target")
_KEY_IN_FIELD: Final = errors.bad_request("a managed key stands in a header field that is forwarded", "key_in_field")


class Asked(NamedTuple):
    """One head, read. `routed` and `refusal` are answers that it gets whenever it comes, in their place in the order.

    `path` is what the provider sees; `fields` are the lines that go on, each with its CRLF. `holds_body` says that the
    body is read whole before it is sent on; `free` that a row is written only where the provider reports usage.
    `rate_key` is what the rate guard counts by: the process-seeded hash of the raw credential, 0 where there is none.
    """

    head: RequestHead
    credential: Credential | None
    routed: Route | Refusal
    refusal: Refusal | None = None
    path: bytes = b""
    fields: bytes = b""
    holds_body: bool = False
    free: bool = False
    rate_key: int = 0


class Heads:
    """Reads request heads under one set of providers and endpoints, and remembers what they ask for."""

    __slots__ = ("_endpoints", "_known", "_providers")

    def __init__(self, providers: Mapping[bytes, Provider], endpoints: Endpoints) -> None:
        self._providers = providers
        self._endpoints = endpoints
        self._known: Generations[bytes, Asked] = Generations(REMEMBERED_HEADS)

    def __len__(self) -> int:
        return len(self._known)

    def read(self, head: bytes) -> tuple[Asked, int]:
        """Return what `head`, ending with its empty line, asks for, and the length of its body (bytes or CHUNKED).

        Raises HeadError. A remembered head is one that was parsed without fault; it declares its length once, so what
        differs from it in that number only has no fault either.
        """
        declared = _LENGTH_FIELD.search(head)
        if declared is None:
            # No remembered head begins with a space: one with an empty length is not taken for one without its number.
            key = b" " + head
        else:
            start, end = declared.span(1)
            key = head[:start] + head[end:]
        asked = self._known.young.get(key) or self._known.recall(key)
        if asked is None:
            asked = read_head(parse_request(head), self._providers, self._endpoints)
            if len(key) <= REMEMBERED_BYTES:
                self._known.keep(key, asked)
        return asked, asked.head.length if declared is None else int(declared[1])

    def __repr__(self) -> str:
        return f"<Heads remembered={len(self._known)}>"


def read_head(head: RequestHead, providers: Mapping[bytes, Provider], endpoints: Endpoints) -> Asked:
    """Return what a parsed head asks for. Pure; raises nothing."""
    fields = head.fields
    credential = find(fields.pairs() if fields.repeated else fields.values.items(), head.target.partition(b"?")[2])
    routed = route(head.target, providers, credential)
    rate_key = 0 if credential is None else hash(credential.value)
    if isinstance(routed, Refusal) or credential is None:
        return Asked(head, credential, routed, rate_key=rate_key)
    if not credential.managed:
        return Asked(head, credential, routed, path=routed.path, fields=byo_fields(head), rate_key=rate_key)
    path = strip_target(routed.path)
    sent_on = managed_fields(head)
    refusal = endpoints.refusal(head.method, routed.endpoint)
    if refusal is None and contains_managed(path):
        refusal = _KEY_IN_TARGET
    if refusal is None and contains_managed(sent_on):
        refusal = _KEY_IN_FIELD
    holds_body = routed.dialect == "openai" and is_chat(routed.endpoint)
    return Asked(head, credential, routed, refusal, path, sent_on, holds_body, is_free(routed.endpoint), rate_key)
