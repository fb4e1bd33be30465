"""One line that tells a person what a call would do. What the model wrote must not be able to draw on the terminal.

A control character, or one that changes the direction or the place of others, is shown by its escape. A long command
keeps both ends, so that nothing can hide behind a long beginning.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

import msgspec

MOST: Final = 400
"""Characters of a summary (agent contract, policy and approvals)."""

_UNSEEN: Final = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\xad\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180e\\u200b-\\u200f\\u2028-\\u202e"
    "\\u2060-\\u206f\\u3164\\ud800-\\udfff\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb\\U000e0000-\\U000e0fff]"
)


def summary_of(name: str, given: dict[str, Any], path: str | None) -> str:
    """Return what a call would do, in at most 400 characters; `path` is the canonical one that it would write."""
    if name == "bash":
        folder = f" (in {given['cwd']})" if given.get("cwd") else ""
        return shortened(f"bash: {given.get('command', '')}{folder}")
    if path is not None:
        return shortened(f"{name}: {path}{_change(given)}")
    return shortened(f"{name}: {_json(given)}" if given else name)


def shortened(text: str) -> str:
    """Return a text on one line with nothing unseen in it, its middle left out where it is too long."""
    # Escapes only add characters, so both ends are enough to work on.
    if len(text) <= MOST and len(shown := _escaped(text)) <= MOST:
        return shown
    end = MOST // 4
    note = f" … [{len(text)} characters] … "
    start = MOST - end - len(note)
    return _escaped(text[:start])[:start] + note + _escaped(text[-end:])[-end:]


def _escaped(text: str) -> str:
    return _UNSEEN.sub(lambda found: repr(found[0])[1:-1], text)


def _change(given: dict[str, Any]) -> str:
    if isinstance(content := given.get("content"), str):
        return f" ({len(content)} characters)"
    changes: list[Any] = cast("list[Any]", given["edits"]) if isinstance(given.get("edits"), list) else [given]
    first = cast("dict[str, Any]", changes[0]) if changes and isinstance(changes[0], dict) else {}
    if "old_string" not in first:
        return ""
    more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
    return f" ({_json(first['old_string'])} becomes {_json(first.get('new_string'))}{more})"


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError):
        # Half of a surrogate pair is text to Python only.
        return repr(value)
