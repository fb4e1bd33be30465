"""What a delivery's reply subject and headers say: its place in the stream, whether it ends an entry, when it ends.

Formats: NATS ADR-8 (operations of a KV bucket), ADR-15 (reply subjects of JetStream), ADR-43 (TTL and markers).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)")
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_REMOVALS: Final = frozenset({"DEL", "PURGE"})


def place(reply: bytes) -> tuple[int, int, int, int]:
    """Where a delivery stands: revision in the stream, number in the consumer, nanoseconds of writing, how many follow.

    Read from the subject it could be acknowledged at; ValueError for another one.
    """
    # $JS.ACK.{stream}.{consumer}.{delivered}.{stream seq}.{consumer seq}.{time}.{pending}; the longer form has domain
    # and account before the stream.
    parts = reply.split(b".")
    revision, number, written_ns, pending = parts[5:] if len(parts) == 9 else parts[7:11]
    return int(revision), int(number), int(written_ns), int(pending)


def is_removal(headers: Mapping[str, str]) -> bool:
    """Whether a message says that its key is gone: deleted, purged, or ended by the store."""
    return headers.get("KV-Operation") in _REMOVALS or "Nats-Marker-Reason" in headers


def ends_at(headers: Mapping[str, str], written_ns: int, max_age_s: float) -> float | None:
    """Wall second of the store at which a message ends; None for never. `max_age_s` is the bucket's limit, 0 for none.

    A message's own TTL counts as far as it is the shorter one; `never` lifts the bucket's limit.
    """
    given = headers.get("Nats-TTL")
    limits = [] if given == "never" or not max_age_s else [max_age_s]
    ttl = parse_ttl(given) if given is not None else None
    if ttl:
        limits.append(ttl)
    return written_ns / 1e9 + min(limits) if limits else None


def parse_ttl(text: str) -> float | None:
    """Seconds of a `Nats-TTL` header, a number or a duration such as `1m0s`; None for `never` and for nonsense."""
    if text.isascii() and text.isdigit():
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
