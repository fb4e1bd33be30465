"""A frame as one line of bytes that no client has to refuse.

What tools print is bounded where it is made, so a frame over the limit is rare: an argument of a call, a message. Its
long strings are cut, and where that is not enough its large lists and objects too; the whole is in spill files that the
frame names, in a field `spill` beside what was cut.
Contract: agent contract, serve: frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from beyond_agent.serve.frames import MAX_LINE_OUT, Frame
from beyond_wire.surrogates import clean_value

if TYPE_CHECKING:
    from beyond_agent.seams import SpillFolder

KEPT: Final = 16 * 1024
"""Characters that stay of a string that is cut: the bound of a snapshot (agent contract, serve: frames)."""
PART: Final = 1024 * 1024
"""Bytes of a field from which on it gives way where it has no long string."""
FEW: Final = 100
"""Entries of it that may stay."""
_ENCODER = msgspec.json.Encoder()


def line_of(frame: Frame, spill: SpillFolder) -> bytes:
    """Return a frame as JSON with its LF, at most `MAX_LINE_OUT` bytes."""
    try:
        line = _ENCODER.encode(frame)
    except UnicodeEncodeError:
        # Half a character out of a file's name: UTF-8 has no word for it.
        line = _ENCODER.encode(clean_value(msgspec.to_builtins(frame)))
    if len(line) >= MAX_LINE_OUT:
        cut = _cut(msgspec.json.decode(line), spill)
        line = _ENCODER.encode(cut)
        if len(line) >= MAX_LINE_OUT:
            line = _ENCODER.encode(_thinned(cut, spill))
    return line + b"\n"


def _cut(value: Any, spill: SpillFolder) -> Any:
    """Return a value whose long strings are cut; the object around each says where all of it is."""
    if isinstance(value, list):
        return [_cut(each, spill) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    cut: dict[str, Any] = {}
    for name, inner in cast("dict[str, Any]", value).items():
        long = [each for each in _strings(inner) if len(each) > KEPT]
        if long:
            cut["spill"] = _spilled("\n".join(long).encode(), spill)
        cut[name] = _beginning(inner) if isinstance(inner, str) else _cut(inner, spill)
        if isinstance(inner, list):
            cut[name] = [_beginning(each) if isinstance(each, str) else each for each in cut[name]]
    return cut


def _strings(value: Any) -> list[str]:
    """Return the strings that a field has itself: its value, or what its list holds."""
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def _beginning(text: str) -> str:
    return text if len(text) <= KEPT else text[:KEPT] + "…"


def _thinned(value: Any, spill: SpillFolder) -> Any:
    """Return an object whose largest fields have lost what makes them large though no string in them is long."""
    if not isinstance(value, dict):
        return value
    thin: dict[str, Any] = {}
    for name, inner in cast("dict[str, Any]", value).items():
        whole = _ENCODER.encode(inner)
        if len(whole) <= PART:
            thin[name] = inner
        elif isinstance(inner, list):
            thin |= {name: _first(cast("list[Any]", inner)), "spill": _spilled(whole, spill)}
        else:
            thin[name] = _thinned(inner, spill)
            if len(_ENCODER.encode(thin[name])) > PART:
                fields = cast("dict[str, Any]", thin[name])
                thin[name] = dict(_first(list(fields.items()))) | {"spill": _spilled(whole, spill)}
    return thin


def _first(items: list[Any]) -> list[Any]:
    """Return the first items of a list, as many as are surely little."""
    size, taken = 0, list[Any]()
    for item in items[:FEW]:
        size += len(_ENCODER.encode(item))
        if size > KEPT:
            break
        taken.append(item)
    return taken


def _spilled(whole: bytes, spill: SpillFolder) -> dict[str, Any]:
    try:
        file = spill.open("frame")
        file.write(whole)
        file.close()
    except OSError as error:
        return {"path": None, "bytes": len(whole), "error": str(error)}
    return {"path": file.path, "bytes": len(whole)}
