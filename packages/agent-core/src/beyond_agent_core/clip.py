"""Bounds on what tools put into a conversation: what is too long keeps its head and its tail, and says what is gone."""

from __future__ import annotations

from typing import Final

RESULT_BYTES: Final = 262_144
TURN_BYTES: Final = 524_288
"""Bytes of one result, and of all results of a turn (agent-core contract, agent configuration)."""
SNAPSHOT_BYTES: Final = 16_384
"""Bytes of one snapshot of progress."""
_NOTICE: Final = 100


def clipped(text: str, most: int) -> str:
    """Return `text` within `most` bytes of UTF-8: its head and tail, cut at characters, around a notice."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= most:
        return text
    half = max(0, (most - _NOTICE) // 2)
    head = raw[:half].decode("utf-8", "ignore")
    tail = raw[len(raw) - half :].decode("utf-8", "ignore")
    return f"{head}\n[... {len(raw) - 2 * half} of {len(raw)} bytes left out ...]\n{tail}"


def tail(text: str, most: int = SNAPSHOT_BYTES) -> tuple[str, int]:
    """Return the last `most` bytes of `text`, cut at a character, and how many bytes are left out before them."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= most:
        return text, 0
    kept = raw[len(raw) - most :].decode("utf-8", "ignore")
    return kept, len(raw) - len(kept.encode())


def within_turn(texts: list[str], most: int = TURN_BYTES) -> list[str]:
    """Return the texts within `most` bytes together: the largest are cut, to one size, the small ones stay whole."""
    sizes = [len(text.encode("utf-8", "replace")) for text in texts]
    if sum(sizes) <= most:
        return texts
    left, share = most, 0
    for number, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - number)
        if size > share:
            break
        left -= size
    return [clipped(text, share) if size > share else text for text, size in zip(texts, sizes, strict=True)]
