"""Argument text of a tool call, read into the object it means.

Models write JSON by hand: a raw line break inside a string, a Windows path or a regular expression with single
backslashes. Those two faults have one meaning each and are repaired without loss; a text that still is no object is
left to the caller, because a guess would run a tool with arguments nobody wrote. So is one that is nested
too deep to be sent again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from re import Match

MAX_NESTING = 100
"""Deepest nesting of arguments: whatever reads them later does so on a fuller stack than the one that decoded them."""

_object = msgspec.json.Decoder(dict[str, Any])

# One string literal, to its end or the end of the text: a literal that fails to match would be searched again from each
# of its escaped quotes.
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_HEX = "[0-9a-fA-F]"
_VALID_ESCAPE = rf'\\(?:["\\/bfnrt]|u[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}}|u(?![dD][89a-fA-F]){_HEX}{{4}})'
_FAULT = re.compile(rf"{_VALID_ESCAPE}|\\|[\x00-\x1f]")


def read_arguments(text: str) -> dict[str, Any] | None:
    """Object that `text` is, `{}` when it is blank; None when it is no JSON object even after one repair, or too deep.

    Linear in the text, raises nothing.
    """
    if not text or text.isspace():
        return {}
    found = _decoded(text)
    return _decoded(_repaired(text)) if found is None else found


def _decoded(text: str) -> dict[str, Any] | None:
    try:
        found = _object.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return None if text.count("[") + text.count("{") > MAX_NESTING and _is_deep(found) else found


def _is_deep(value: dict[str, Any]) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_NESTING):
        held = [inner for one in level for inner in _held(one)]
        level = [inner for inner in held if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _held(container: Any) -> Iterable[Any]:
    return cast("dict[str, Any]", container).values() if isinstance(container, dict) else container


def _repaired(text: str) -> str:
    """`text` with raw control characters in strings escaped and backslashes that begin no escape doubled."""
    return _STRING.sub(_repaired_string, text)


def _repaired_string(literal: Match[str]) -> str:
    return _FAULT.sub(_repaired_fault, literal[0])


def _repaired_fault(fault: Match[str]) -> str:
    found = fault[0]
    if found == "\\":
        return "\\\\"
    return found if found[0] == "\\" else f"\\u{ord(found):04x}"
