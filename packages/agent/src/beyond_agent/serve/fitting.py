"""A frame as one line of bytes that no client has to refuse.

What tools print is bounded where it is made, so a frame over the limit is rare: an argument of a call, a message. Its
longest strings are cut until it fits, and each whole one is in a spill file that the frame names.
Contract: agent contract, serve: frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from beyond_agent.serve.frames import MAX_LINE_OUT, Frame

if TYPE_CHECKING:
    from beyond_agent.seams import SpillFolder

KEPT: Final = 16 * 1024
"""Characters that stay of a string that is cut: the bound of a snapshot (agent contract, serve: frames)."""
_ENCODER = msgspec.json.Encoder()


def line_of(frame: Frame, spill: SpillFolder) -> bytes:
    """Return a frame as JSON with its LF, at most `MAX_LINE_OUT` bytes."""
    line = _ENCODER.encode(frame)
    if len(line) >= MAX_LINE_OUT:
        line = _ENCODER.encode(_cut(msgspec.json.decode(line), spill))
    return line + b"\n"


def _cut(value: Any, spill: SpillFolder) -> Any:
    """Return a value whose long strings are cut; the object around each says where all of it is."""
    if isinstance(value, list):
        return [_cut(each, spill) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    cut: dict[str, Any] = {}
    for name, inner in cast("dict[str, Any]", value).items():
        if isinstance(inner, str) and len(inner) > KEPT:
            cut[name] = inner[:KEPT] + "…"
            cut["spill"] = _spilled(inner, spill)
        else:
            cut[name] = _cut(inner, spill)
    return cut


def _spilled(text: str, spill: SpillFolder) -> dict[str, Any]:
    whole = text.encode("utf-8", "surrogatepass")
    try:
        file = spill.open("frame")
        file.write(whole)
        file.close()
    except OSError as error:
        return {"path": None, "bytes": len(whole), "error": str(error)}
    return {"path": file.path, "bytes": len(whole)}
