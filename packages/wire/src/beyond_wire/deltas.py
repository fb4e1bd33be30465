"""Counting what a stream showed, for lower-bound estimates of answers whose usage never arrived."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from beyond_wire.json_scan import STRING_BODY, utf8_length

if TYPE_CHECKING:
    from beyond_wire.usage import Family

MAX_LINE_BYTES = 256 * 1024
"""Longest line that is counted, in bytes. Deltas are far below it; longer lines are whole answers or images."""

_LINE_ENDS = frozenset(b"\r\n")
_BACKSLASH = 0x5C
_ANTHROPIC_OPENS = b'"delta":{"type":"text_delta","text":"'
_CHAT_OPENS = b'"delta":{"content":"'
_ANTHROPIC_TEXT = re.compile(rb'"(?:text|thinking|partial_json)"\s*+:\s*+"(' + STRING_BODY + rb')"', re.DOTALL)
_CHAT_TEXT = re.compile(
    rb'"(content|text|arguments|refusal|reasoning_content|reasoning)"\s*+:\s*+"(' + STRING_BODY + rb')"', re.DOTALL
)
_RESPONSES_TYPE = re.compile(rb'"type"\s*+:\s*+"response\.')
_RESPONSES_TEXT_TYPE = re.compile(rb'"type"\s*+:\s*+"response\.[a-z_.]*(?:text|refusal|arguments|input|code)\.delta"')
_RESPONSES_TEXT = re.compile(rb'"delta"\s*+:\s*+"(' + STRING_BODY + rb')"', re.DOTALL)


class DeltaCounter:
    """Delta events and visible bytes of one stream, the same for every way to cut it, without parsing JSON.

    `events` counts stream events that carry text of the answer: visible text, reasoning, refusals, tool arguments.
    `text_bytes` is that text's length as UTF-8, escapes undone. Repeated text, such as the `done` events of Responses
    or reasoning sent under two names, counts once. An event counts when its line is complete.

    This runs on every chunk of every metered stream, so it asks of a line only what a few byte searches can answer.
    Memory is one unfinished line of at most 256 KiB; a longer line counts nothing.
    """

    __slots__ = ("_count_line", "_overlong", "_rest", "events", "text_bytes")

    def __init__(self, dialect: Family) -> None:
        self.events = 0
        self.text_bytes = 0
        self._count_line = _anthropic_bytes if dialect == "anthropic" else _chat_bytes
        self._rest = bytearray()
        self._overlong = False

    def __repr__(self) -> str:
        return f"<DeltaCounter events={self.events} text_bytes={self.text_bytes} held={len(self._rest)}B>"

    def feed(self, chunk: bytes) -> None:
        """Count the events that `chunk` completes. Raises nothing, whatever the bytes."""
        if not chunk:
            return
        lines = chunk.splitlines()
        unfinished = b"" if chunk[-1] in _LINE_ENDS else lines.pop()
        if lines and (self._rest or self._overlong):
            self._hold(lines[0])
            lines[0] = bytes(self._rest)
            self._rest.clear()
            self._overlong = False
        for line in lines:
            if line.startswith(b"data:") and len(line) <= MAX_LINE_BYTES:
                self._data_line(line)
        if unfinished:
            self._hold(unfinished)

    def _hold(self, piece: bytes) -> None:
        if self._overlong or len(self._rest) + len(piece) > MAX_LINE_BYTES:
            self._overlong = True
            self._rest.clear()
        else:
            self._rest += piece

    def _data_line(self, line: bytes) -> None:
        if self._count_line is _chat_bytes and line.find(b'"response.') >= 0 and _RESPONSES_TYPE.search(line):
            # Chat events have no such type, so the rest of this stream is Responses events too.
            self._count_line = _responses_bytes
        size = self._count_line(line)
        if size:
            self.events += 1
            self.text_bytes += size


def estimate_output_tokens(delta_events: int, visible_bytes: int) -> int:
    """Lower bound on output tokens of a stream whose usage never arrived.

    `delta_events` and `visible_bytes` are what a `DeltaCounter` saw. Whole tokens, rounded down: the larger of one
    token an event and one token for 4.5 bytes (gateway contract, usage).
    """
    return max(delta_events, int(visible_bytes / 4.5))


def _anthropic_bytes(line: bytes) -> int:
    plain = _plain_text(line, _ANTHROPIC_OPENS)
    if plain is not None:
        return plain
    if line.find(b"content_block_delta") < 0:
        return 0
    found = _ANTHROPIC_TEXT.search(line)
    return 0 if found is None else utf8_length(found[1])


def _responses_bytes(line: bytes) -> int:
    if _RESPONSES_TEXT_TYPE.search(line) is None:
        return 0
    found = _RESPONSES_TEXT.search(line)
    return 0 if found is None else utf8_length(found[1])


def _chat_bytes(line: bytes) -> int:
    plain = _plain_text(line, _CHAT_OPENS)
    if plain is not None:
        return plain
    sizes: dict[bytes, int] = {}
    for found in _CHAT_TEXT.finditer(line, max(line.find(b'"choices"'), 0)):
        key = found[1]
        if key != b"content" or key not in sizes:
            # A second `content` belongs to a quoted source (annotations), not to the answer.
            sizes[key] = sizes.get(key, 0) + utf8_length(found[2])
    if not sizes:
        return 0
    reasoning = max(sizes.pop(b"reasoning_content", 0), sizes.pop(b"reasoning", 0))
    if reasoning and line.find(b'"reasoning_details"') >= 0:
        sizes.pop(b"text", None)
    return reasoning + sum(sizes.values())


def _plain_text(line: bytes, opens: bytes) -> int | None:
    """Length of a delta's only text in its usual spelling, without escapes; None where only a pattern can tell."""
    at = line.find(opens)
    if at < 0:
        return None
    start = at + len(opens)
    end = line.find(b'"', start)
    if end < 0 or not line.startswith(b"}", end + 1) or _BACKSLASH in line[start:end]:
        return None
    return end - start
