"""Messages as clients get them: with the id of their entry, without the bytes of images, a bounded page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beyond_wire.types import Message

PAGE_BYTES: Final = 4 * 1024 * 1024
"""Bytes of messages in one frame, half of what a line may have: one that is larger stands alone, and is cut."""


def page(
    entries: Iterable[tuple[str, Message]], *, limit: int | None = None, images: bool = False
) -> tuple[list[dict[str, Any]], bool]:
    """Return the first of these messages that fit a frame, `limit` at most; and whether others follow."""
    taken: list[dict[str, Any]] = []
    size = 0
    for entry_id, message in entries:
        shown = shown_message(entry_id, message, images=images)
        size += len(msgspec.json.encode(shown))
        if taken and (size > PAGE_BYTES or len(taken) == limit):
            return taken, True
        taken.append(shown)
    return taken, False


def newest(entries: list[tuple[str, Message]]) -> tuple[list[dict[str, Any]], int]:
    """Return the last of these messages that fit a frame, in order; and how many older ones were left out."""
    taken, _ = page(reversed(entries))
    taken.reverse()
    return taken, len(entries) - len(taken)


def shown_message(entry_id: str, message: Message, *, images: bool) -> dict[str, Any]:
    """Return a message as JSON values with the `id` of its entry."""
    plain: dict[str, Any] = msgspec.to_builtins(message)
    if not images:
        plain["content"] = [_without_image(block) for block in plain["content"]]
    return {"id": entry_id, **plain}


def _without_image(block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] == "image":
        return block | {"source": _omitted(block["source"])}
    if "images" in block:
        return block | {"images": [_omitted(image) for image in cast("list[dict[str, Any]]", block["images"])]}
    return block


def _omitted(source: dict[str, Any]) -> dict[str, Any]:
    data: str = source["data"]
    padding = data[-2:].count("=")
    return {"type": "omitted", "media_type": source["media_type"], "bytes": len(data) * 3 // 4 - padding}
