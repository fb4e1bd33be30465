"""Hides from a client the usage event of a chat stream that only the gateway asked for (gw contract, relay).

The event has an empty `choices` list and a usage object; user code that reads `chunk.choices[0]` would fail on it. The
stream is cut at blank lines only as far as needed: a read that cannot hold the event passes as the same object, and
nothing waits but an unfinished event that may still turn out to be the one. What decides is always the whole event, so
the output does not depend on how the input was cut; the early tests below only notice sooner what the whole would show.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

HELD_BYTES: Final = 1 << 16
"""Longest event ever hidden or held back; a usage event has a few hundred bytes."""

_WINDOW: Final = 256  # bytes looked back for a `"choices":[{` that arrives in pieces; keeps one-byte reads linear
_HEAD: Final = 4096  # bytes of a held event looked at again for data that is no object, for the same reason
_BLANK_LINES: Final = (b"\n\n", b"\r\n\r\n")
_GAP = rb"(?:\s|data:)*+"  # what may stand between JSON tokens of an event, with its JSON spread over data lines
_CHOICES = rb'"choices"' + _GAP + rb":" + _GAP + rb"\[" + _GAP

_empty_list = re.compile(rb"\[" + _GAP + rb"\]").search  # a fifth of the time of the next one, and nearly always enough
_no_choices = re.compile(_CHOICES + rb"\]").search
_some_choices = re.compile(_CHOICES + rb'[{\["\-0-9tfn]').search
# One line end a turn keeps this linear without a possessive group, which CPython 3.11.2 matches wrongly (gh-106052).
_not_an_object = re.compile(rb"(?:(?!data:)[^\r\n]*+[\r\n])*data:[ \t]*+[^ \t\r\n{]").match
_event_end = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)").search
_line_ends = re.compile(rb"[\r\n]*+").match
_data_lines = re.compile(rb"(?:^|(?<=[\r\n]))data:([^\r\n]*)").findall


class _Chunk(msgspec.Struct):
    choices: list[msgspec.Raw]
    usage: msgspec.Raw


_decode = msgspec.json.Decoder(_Chunk).decode


class UsageEventFilter:
    """A chat stream's SSE payload without its usage event. `feed` and `finish` return what may go to the client now.

    The caller feeds unframed payload in any pieces. While `clean` is true a payload that ends with a blank line and of
    which `may_drop` is false may also pass without being fed. Holds at most 64 KiB. Raises nothing.
    """

    __slots__ = ("_held", "_line_end", "_passing", "_swallow", "clean")

    def __init__(self) -> None:
        self.clean = True  # between two events, with nothing held
        self._held = b""
        self._passing = False  # inside an event that is let through
        self._line_end = b""  # while passing: the line end that the last payload ended with
        self._swallow = False  # a hidden event ended in CR; an LF that follows is still its own

    @property
    def held_bytes(self) -> int:
        """Bytes held back."""
        return len(self._held)

    @staticmethod
    def may_drop(payload: bytes) -> bool:
        """Return whether whole events in `payload` may include one to hide. Cheap, and never wrongly false."""
        return _empty_list(payload) is not None and _no_choices(payload) is not None

    def feed(self, payload: bytes) -> bytes:
        """Return `payload`, and what was held before it, without the usage event and what must wait."""
        if self.clean and payload.endswith(_BLANK_LINES) and _empty_list(payload) is None:
            return payload
        if self._swallow and payload:
            self._swallow = False
            payload = payload.removeprefix(b"\n")
        out = self._pass(payload) if self._passing else self._filter(payload, 0)
        self.clean = not (self._held or self._passing or self._swallow)
        return out

    def finish(self) -> bytes:
        """Return what was still held, or nothing where that is the usage event; the body has ended."""
        held, self._held, self.clean = self._held, b"", True
        return b"" if _is_usage_event(held) else held

    def _pass(self, payload: bytes) -> bytes:
        before = self._line_end
        end = _event_end(before + payload)
        if end is None:
            self._line_end = _last_line_end(before, payload)
            return payload
        self._passing = False
        return self._filter(payload, end.end() - len(before))

    def _filter(self, payload: bytes, at: int) -> bytes:
        """Go through whole events from `at`, a boundary where nothing is held; hold or pass the unfinished one."""
        known = len(self._held)
        data = self._held + payload if known else payload
        out: list[bytes] = []
        done = 0
        # An event's end may begin in what was held, at most three bytes back.
        look = max(known - 3, at)
        if not self.may_drop(data):
            at = _last_boundary(data, at)
            look = max(look, at)
        while True:
            begin = _match_end(data, at)
            end = _event_end(data, max(look, begin))
            if end is None:
                break
            at = look = end.end()
            if _is_usage_event(data[begin:at]):
                out.append(data[done:begin])
                done = at
                self._swallow = at == len(data) and data[at - 1 : at] == b"\r"
        self._hold_or_pass(data, begin, known)
        out.append(data[done : len(data) - len(self._held)])
        return b"".join(out) if len(out) > 1 else out[0]

    def _hold_or_pass(self, data: bytes, begin: int, known: int) -> None:
        rest = data[begin:]
        fresh = max(known - _WINDOW, begin)
        not_an_object = known < _HEAD and _not_an_object(rest)
        if not_an_object or len(rest) > HELD_BYTES or _some_choices(data, fresh):
            self._held = b""
            self._passing = True
            self._line_end = _last_line_end(b"", rest)
        else:
            self._held = rest


def _last_boundary(data: bytes, at: int) -> int:
    """Return the last boundary between events that a plain search finds, or `at`."""
    found = data.rfind(b"\n\n")
    if found >= at:
        return found + 2
    found = data.rfind(b"\r\n\r\n")
    return found + 4 if found >= at else at


def _match_end(data: bytes, at: int) -> int:
    found = _line_ends(data, at)
    return found.end() if found else at


def _last_line_end(before: bytes, data: bytes) -> bytes:
    last = (before + data[-2:])[-2:]
    return last[len(last.rstrip(b"\r\n")) :]


def _is_usage_event(event: bytes) -> bool:
    if len(event) > HELD_BYTES or _no_choices(event) is None or _some_choices(event) is not None:
        return False
    try:
        chunk = _decode(b"\n".join(_data_lines(event)))
    except (msgspec.MsgspecError, RecursionError):
        return False
    return not chunk.choices and bytes(chunk.usage)[:1] == b"{"
