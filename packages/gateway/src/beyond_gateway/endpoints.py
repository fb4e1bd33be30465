"""What managed keys may call: stateless generation, nothing that a shared pool key would open to other tenants.

Under one pool key every tenant is the same customer to the provider, so files, batches, stored responses and threads of
one would be readable to all. Only path endings on a short list pass, and `/messages` only behind an API root: OpenAI's
`/v1/threads/{id}/messages` ends the same way and is somebody's conversation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_gateway.errors import ENDPOINT_REFUSED, Refusal, method_refused

if TYPE_CHECKING:
    from collections.abc import Iterable

_FREE: Final = (b"/count_tokens", b"/input_tokens", b"/models", b"/moderations")
_ROOTED: Final = re.compile(rb"(?:/[^/]+)*/v[0-9]+[a-z]*")
_CHAT: Final = b"/chat/completions"


class _Rule(NamedTuple):
    method: bytes
    ending: bytes


def _rule(entry: str) -> _Rule:
    method, _, ending = entry.rpartition(" ")
    return _Rule((method or "POST").encode(), ending.encode())


def _matches(rule: _Rule, path: bytes) -> bool:
    if not path.endswith(rule.ending):
        return False
    return not rule.ending.startswith(b"/messages") or _ROOTED.fullmatch(path[: -len(rule.ending)]) is not None


class Endpoints:
    """The allowlist, from `managed_endpoints`: `/path/ending` for POST, `METHOD /path/ending` for another.

    Answers are remembered for the paths that clients really call, at most `REMEMBERED` of them.
    """

    REMEMBERED: Final = 1024

    def __init__(self, entries: Iterable[str]) -> None:
        self._rules = [_rule(entry) for entry in entries]
        self._known: dict[tuple[bytes, bytes], Refusal | None] = {}

    def refusal(self, method: bytes, path: bytes) -> Refusal | None:
        """Return None where a managed request may go there; else 404, or 405 where only the method is wrong.

        `path` is the forwarded path without its query, empty where it has no single reading.
        """
        key = (method, path)
        if key in self._known:
            return self._known[key]
        answer = self._judge(method, path)
        if len(self._known) < self.REMEMBERED and len(path) < self.REMEMBERED:
            self._known[key] = answer
        return answer

    def _judge(self, method: bytes, path: bytes) -> Refusal | None:
        methods = dict.fromkeys(rule.method for rule in self._rules if _matches(rule, path))
        if method in methods:
            return None
        return method_refused(b", ".join(methods).decode()) if methods else ENDPOINT_REFUSED


def is_free(path: bytes) -> bool:
    """Whether a call there costs nothing by itself: a row is written only when the provider reports usage."""
    return path.endswith(_FREE)


def is_chat(path: bytes) -> bool:
    """Whether the body is a Chat Completions request, which is read whole so that usage can be asked for."""
    return path.endswith(_CHAT)
