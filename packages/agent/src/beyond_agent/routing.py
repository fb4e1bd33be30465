"""Which endpoint answers, with whose key: the gateway, or a provider itself where that was asked for.

In gateway mode a provider's key is never read, so it cannot get anywhere. Contract: agent contract, model routing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from beyond_agent.errors import UsageError
from beyond_wire.caps import UNKNOWN, caps_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_agent.options import Options
    from beyond_wire.types import Caps

NO_KEY: Final = "no gateway key: pass --key or set AI_AGENT_KEY"
"""Exact text (agent contract, model routing)."""
_NAMING_A_GATEWAY: Final = frozenset({"gateway_url", "key"})
_IN_127: Final = re.compile(r"127(\.\d{1,3}){3}")
_LOOPBACK: Final = frozenset({"localhost", "::1"})


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Where requests go. `key` never shows."""

    base_url: str
    key: str
    direct: bool

    def __repr__(self) -> str:
        return f"<Route {'direct' if self.direct else 'gateway'}>"


def route(options: Options, environ: Mapping[str, str]) -> Route:
    """Return where requests go: to the gateway, unless only a provider is named. Raises UsageError without a key."""
    base = environ.get("AI_BASE_URL", "")
    if options.direct or (base and not options.stated & _NAMING_A_GATEWAY):
        if not base:
            raise UsageError("--direct: needs AI_BASE_URL, the base URL of an OpenAI or Anthropic endpoint")
        key = environ.get("AI_API_KEY", "")
        if not key and not _is_loopback(base):
            raise UsageError("no provider key: set AI_API_KEY, or ask a gateway by AI_GATEWAY_URL and AI_AGENT_KEY")
        return Route(base_url=base, key=_sendable(key, "AI_API_KEY"), direct=True)
    if not options.key:
        raise UsageError(NO_KEY)
    _sendable(options.key, "--key or AI_AGENT_KEY")
    return Route(base_url=options.gateway_url, key=options.key, direct=False)


def abilities(model: str, options: Options) -> Caps:
    """Return what a model can do: the table's row with what the settings state about it."""
    told: dict[str, Any] = dict(options.models.get(model, {}))
    if options.context_window is not None:
        told["context_window"] = options.context_window
    if options.dialect is not None:
        told["dialect"] = options.dialect
    if "context_window" in told:
        told["window"] = told.pop("context_window")
    return msgspec.structs.replace(caps_for(model), **told)


def is_known(model: str, options: Options) -> bool:
    """Whether anything is known of a model; of others the least is assumed."""
    row = msgspec.structs.replace(caps_for(model), dialect=UNKNOWN.dialect)
    return model in options.models or row != UNKNOWN


def _sendable(key: str, source: str) -> str:
    """Return a key that a header can hold. Raises UsageError for another, which is not shown."""
    if not (key.isascii() and key.isprintable() and key == key.strip()):
        raise UsageError(
            f"{source}: holds what no key has, as a line break, a space or a letter beyond ASCII; set it anew"
        )
    return key


def _is_loopback(url: str) -> bool:
    from urllib.parse import urlsplit  # noqa: PLC0415 - only direct mode without a key asks

    host = urlsplit(url).hostname or ""
    return host in _LOOPBACK or _IN_127.fullmatch(host) is not None
