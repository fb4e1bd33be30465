"""Answers in the shapes providers send, with the facts each must give: one table for parser and gateway tests.

Read a streamed one with `usage_from_tail` on its last 64 KiB and first 8 KiB, a JSON one with `usage_from_body`, cut
to its last 64 KiB when it is longer. Texts are made up; shapes are those of the providers' API references.
"""

from __future__ import annotations

from beyond_wire.testing.anthropic_streams import ANTHROPIC_STREAMS
from beyond_wire.testing.bodies import BODIES
from beyond_wire.testing.broken_streams import BROKEN_STREAMS
from beyond_wire.testing.chat_streams import CHAT_STREAMS
from beyond_wire.testing.fixture import Stream
from beyond_wire.testing.framing_streams import FRAMING_STREAMS
from beyond_wire.testing.responses_streams import RESPONSES_STREAMS

__all__ = ["HEAD_BYTES", "STREAMS", "TAIL_BYTES", "Stream"]

HEAD_BYTES = 8 * 1024
"""How much of a response's beginning the gateway keeps (gateway contract, usage)."""

TAIL_BYTES = 64 * 1024
"""How much of a response's end the gateway keeps (gateway contract, words)."""

STREAMS: tuple[Stream, ...] = (
    *CHAT_STREAMS,
    *FRAMING_STREAMS,
    *RESPONSES_STREAMS,
    *ANTHROPIC_STREAMS,
    *BROKEN_STREAMS,
    *BODIES,
)
"""Every answer, names unique."""
