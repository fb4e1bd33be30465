"""Names and times of sessions: ids that sort by time, titles on one line. Pure, but for the randomness of ids."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_TITLE: Final = 200
"""Characters of a title that somebody gives (agent contract, serve: commands)."""
DERIVED_TITLE: Final = 80
"""Characters of a title that is made of the first prompt: a line of a list."""
PREVIEW: Final = 120
"""Characters of a message in a list."""

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_BLANKS: Final = re.compile(r"\s+")
_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")


def wall_clock() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)


def stamp(now: datetime) -> str:
    """Return a time as `2025-11-24T11:05:00.123Z`: it reads alike everywhere, and sorts as text."""
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z"


def new_session_id(now: datetime, chance: Callable[[int], bytes] = os.urandom) -> str:
    """Return an id: `sess_`, 12 hex digits of milliseconds since 1970, 10 of chance (agent contract, sessions)."""
    return f"sess_{int(now.timestamp() * 1000):012x}{chance(5).hex()}"


def usable_id(session_id: str) -> bool:
    """Whether an id that somebody gives can be part of a file's name."""
    return _GIVEN_ID.fullmatch(session_id) is not None


def file_name(created_at: str, session_id: str) -> str:
    """Return the name of a session's file."""
    return f"{created_at}_{session_id}.jsonl"


def id_in(name: str) -> str:
    """Return the id in the name of a session's file; empty where it is none."""
    stem, dot, ending = name.rpartition(".")
    return stem.partition("_")[2] if dot and ending == "jsonl" and not name.startswith(".") else ""


def one_line(text: str, most: int) -> str:
    """Return text on one line, controls and lone surrogates removed, cut with `…` where it is longer than `most`."""
    line = _BLANKS.sub(" ", _CONTROLS.sub(" ", text)).strip()
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def clean_title(title: str) -> str:
    """Return a title that somebody gives as one line of at most 200 characters."""
    return one_line(title, MOST_TITLE)


def title_from(prompt: str) -> str:
    """Return a title for a session that begins with `prompt`: its first line that says something, at most 80 long."""
    said = (one_line(line, DERIVED_TITLE) for line in prompt.splitlines())
    return next((line for line in said if line), "")
