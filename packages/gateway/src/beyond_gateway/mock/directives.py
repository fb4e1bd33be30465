"""What a request asks the provider to do wrong, read from its model name.

A model `mock:key=value,key=value` carries its own fault, so that tests which run at the same time, through any number
of proxies, never share a switch. The query parameter `mock=key=value,…` says the same for requests without a body. Each
field below is one key; flags take `1`. Seconds are floats, sizes are bytes, token counts go to the wire as given.
"""

from typing import Annotated, Literal
from urllib.parse import parse_qsl

import msgspec

PREFIX = "mock:"

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class DirectiveError(ValueError):
    """The caller wrote a directive that does not exist or does not parse; the text names it."""


class Directives(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The faults and shapes one request asked for; all defaults mean a well-behaved provider."""

    # The answer's status and framing.
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 200
    retry_after: Count | None = None
    echo_key: bool = False  # the error body and `x-received-key` repeat the credential that arrived
    early: bool = False  # 400 after the first body bytes, the rest is not waited for
    hold: Seconds = 0.0  # stop reading the request for this long after its first body bytes
    length: bool = False  # Content-Length instead of chunked, JSON only
    close: bool = False
    http10: bool = False  # HTTP/1.0 status line, body ended by the close
    gzip: bool = False
    chunk: Positive | None = None  # cut the body into pieces of this size, each its own HTTP chunk
    chunk_ext: bool = False
    trailer: bool = False
    early_hints: bool = False  # a 103 before the head
    hop: bool = False  # hop-by-hop headers, one of them named by `Connection`
    beyond_header: bool = False  # `x-beyond-*` response headers, which a gateway must remove
    # Faults in time.
    stall: Seconds = 0.0  # before the head
    stall_after: Count | None = None  # after this many pieces or events, until the client leaves
    gap: Seconds = 0.0  # between pieces or events
    cut: Annotated[int, msgspec.Meta(ge=-1)] | None = None  # close after this many body bytes; -1 is before the head
    reset: bool = False  # a cut sends RST instead of FIN
    error_event: Count | None = None  # error event inside the 200 stream after this many deltas
    # The content.
    events: Positive | None = None  # number of text deltas
    bytes: Positive | None = None  # JSON: size of the whole body; stream: size of the visible text
    tool: str | None = None
    resolved: str | None = None  # the model name of the answer
    # Usage.
    usage: Literal["vendor", "every", "last", "none", "null"] = "vendor"
    shape: Literal["openai", "deepseek", "xai", "openrouter", "groq", "mistral"] = "openai"
    input: Count | None = None
    output: Count | None = None
    cached: Count = 0
    cache_write: Count = 0
    cache_write_1h: Count = 0
    reasoning: Count = 0


def parse_directives(model: str, query: str = "") -> Directives:
    """Return the directives of a request with this model name and raw query string; the query wins where both speak.

    Raises `DirectiveError` naming the key. An ordinary model name gives the defaults.
    """
    pairs = _pairs(model.removeprefix(PREFIX)) if model.startswith(PREFIX) else {}
    for name, value in parse_qsl(query):
        if name == "mock":
            pairs |= _pairs(value)
    try:
        return msgspec.convert(pairs, Directives, strict=False)
    except msgspec.ValidationError as fault:
        raise DirectiveError(f"mock directive: {fault}") from None


def _pairs(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in filter(None, text.split(",")):
        name, equals, value = item.partition("=")
        if not equals:
            raise DirectiveError(f"mock directive `{item}` needs a value: {item}=1")
        pairs[name] = value
    return pairs
