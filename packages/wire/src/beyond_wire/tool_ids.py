"""Ids of tool calls: the two that Responses has, packed in one, and ids a dialect accepts.

Everyone else names a call by one id. Responses has a `call_id`, which results cite, and an item id, which a replayed
call should carry; both travel as `call_id|item_id`, and nothing but this module looks inside. An id leaves its dialect
when a conversation moves to another model, so `ToolIds` hands out ids that fit the target and differ within a request.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_wire.types import DialectName

MAX_CHARACTERS: Mapping[DialectName, int] = {"anthropic": 64, "chat": 40, "responses": 64}
"""Longest call id (wire contract, dialects; for Responses the limit of `call_id` in OpenAI's API)."""

_PACKED = re.compile(r"((?:[^\\|]|\\.)*)\|(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\([\\|])")
_UNSAFE = {"anthropic": re.compile(r"[^A-Za-z0-9_-]"), "chat": re.compile(r"[\\|]")}


def pack(call_id: str, item_id: str | None) -> str:
    r"""One id of both; `\` and `|` inside them are escaped by `\`. Without an item id, the call id alone."""
    call_id = call_id.replace("\\", "\\\\").replace("|", "\\|")
    if not item_id:
        return call_id
    return f"{call_id}|" + item_id.replace("\\", "\\\\").replace("|", "\\|")


def unpack(packed: str) -> tuple[str, str | None]:
    """Call id and item id of what `pack` gave; the item id is None when there is none. Raises nothing on any text."""
    if "|" not in packed and "\\" not in packed:
        return packed, None
    found = _PACKED.fullmatch(packed)
    call_id, item_id = (packed, None) if found is None else found.groups()
    return _ESCAPED.sub(r"\1", call_id), _ESCAPED.sub(r"\1", item_id) if item_id else None


class ToolIds:
    """Ids for the calls of one request: valid in `dialect`, each given once, a valid and new one left as it is.

    What is given depends on earlier calls only, so adding messages at the end changes no earlier id: prompt caches
    match on bytes.
    """

    __slots__ = ("_dialect", "_given", "_last_count")

    def __init__(self, dialect: DialectName) -> None:
        self._dialect: DialectName = dialect
        self._given: set[str] = set()
        self._last_count: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<ToolIds {self._dialect} given={len(self._given)}>"

    def copy(self) -> ToolIds:
        """Return a second dispenser that goes on from here; this one is not changed by it."""
        twin = ToolIds(self._dialect)
        twin._given = self._given.copy()
        twin._last_count = self._last_count.copy()
        return twin

    def give(self, packed: str, *, foreign: bool) -> str:
        """Return the id to send for the call `packed`.

        Only Responses keeps an item id, and only of the same model: an item of a `foreign` turn refers to reasoning
        that is no longer sent.
        """
        call_id, item_id = unpack(packed)
        unsafe = _UNSAFE.get(self._dialect)
        call_id = self._unused((call_id if unsafe is None else unsafe.sub("_", call_id)) or "call")
        if self._dialect != "responses":
            return call_id
        return pack(call_id, None if foreign else item_id)

    def _unused(self, wanted: str) -> str:
        limit = MAX_CHARACTERS[self._dialect]
        given = wanted[:limit]
        # Some providers call every call `call_0`: counting goes on where it stopped, or it would be quadratic.
        count = self._last_count.get(wanted, 1)
        while given in self._given:
            count += 1
            tail = f"_{count}"
            given = wanted[: limit - len(tail)] + tail
        self._last_count[wanted] = count
        self._given.add(given)
        return given
