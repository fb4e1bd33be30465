"""Headers of a request: ours, then the dialect's, then the caller's, which win. And those of an answer. No I/O.

The head of a request is written here and not by an HTTP library, because it must not wait for one to be imported. It is
the simplest there is: one method, a known length, no framing that two sides could read differently.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from beyond_agent_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beyond_agent_core.client_target import Origin

VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")
"""A header's value that is not empty: printable ASCII, no blank at its ends."""
_TARGET: Final = re.compile(r"[\x21-\x7e]+")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING: Final = frozenset(
    {"connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect", "accept-encoding"}
)


class NotHttp(Exception):  # noqa: N818 - it says what was met
    """What came is no answer of HTTP/1.1, or ended before it did."""


def request_headers(origin: Origin, size: int, *, credential: tuple[str, str] | None) -> dict[str, str]:
    """Return the headers of every request with a body of `size` bytes. `credential` is the key's header and the key."""
    fields = {
        "host": origin.authority,
        "user-agent": "beyond-ai-agent",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": str(size),
    }
    if credential is not None:
        name, key = credential
        fields[name] = f"Bearer {key}" if name == "authorization" else key
    proxy = origin.proxy
    if proxy is not None and proxy.authorization is not None and not origin.tunnelled:
        fields["proxy-authorization"] = proxy.authorization
    return fields


def request_head(target: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """Return the head of a POST, blank line included. Raises ValueError for what no head can hold.

    The text of a refusal has neither name nor value: one of them is the key.
    """
    if not _TARGET.fullmatch(target):
        raise ValueError("not a request target")
    lines = [f"POST {target} HTTP/1.1"]
    for name, value in headers:
        if not _NAME.fullmatch(name) or (value and not VALUE.fullmatch(value)):
            raise ValueError("not a header")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def checked(headers: Mapping[str, str]) -> dict[str, str]:
    """Return extra headers with names in lower case. The text of a refusal has no value: it may be a secret."""
    fields: dict[str, str] = {}
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or name.lower() in _FRAMING:
            raise ConfigError("headers", f"{name!r} cannot be set")
        if value and not VALUE.fullmatch(value):
            raise ConfigError("headers", f"the value of {name!r} is not printable ASCII")
        fields[name.lower()] = value
    return fields


def is_stream(fields: Mapping[str, str]) -> bool:
    """Whether a body with these headers, names in lower case, is an event stream in plain bytes."""
    plain = fields.get("content-encoding", "identity").strip().lower() in ("identity", "")
    return plain and fields.get("content-type", "").partition(";")[0].strip().lower() == "text/event-stream"
