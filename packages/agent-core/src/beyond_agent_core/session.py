"""What a conversation is: messages, in the order in which they became true, and what they cost.

Messages are immutable and shared, so a request in flight holds a snapshot without a copy of any message. The session
grows at its end only, and whoever repairs it adds; compaction alone puts other messages in the place of earlier ones,
in one step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from beyond_agent_core.errors import SessionBusy, SessionInvalid
from beyond_wire.types import ImageSource, Message, TokenUsage, user, user_with_images

if TYPE_CHECKING:
    from collections.abc import Iterable


class Provenance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the first message of a compacted session comes from; all empty before the first summary.

    `summary` is the model's text, `first_kept` the place that the oldest kept message had, files are sorted paths.
    `failures` counts compactions that failed in a row; `broken_for` is the model for which none is tried by itself.
    """

    summary: str = ""
    first_kept: int = 0
    read_files: tuple[str, ...] = ()
    modified_files: tuple[str, ...] = ()
    failures: int = 0
    broken_for: str = ""


class _Stored(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A session on disk; fields that come later have defaults, so that older text loads."""

    messages: list[Message] = []
    steps: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    last_input_tokens: int = 0
    last_output_tokens: int = 0
    last_usage_message_count: int = 0
    compaction: Provenance = Provenance()


_COUNTS = tuple(name for name in TokenUsage.__struct_fields__)


class Session:
    """One conversation. `last_input_tokens` is the whole prompt of the last turn, cached parts included."""

    def __init__(self) -> None:
        self._stored = _Stored(messages=[])
        self._busy = False

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages so far, as a snapshot: later ones are not in it."""
        return tuple(self._stored.messages)

    @property
    def steps(self) -> int:
        """Model turns that were committed."""
        return self._stored.steps

    @property
    def usage(self) -> TokenUsage:
        """Tokens of all committed turns and accepted summaries."""
        return TokenUsage(**{name: getattr(self._stored, name) for name in _COUNTS})

    @property
    def input_tokens(self) -> int:
        """Uncached prompt tokens, of all that `usage` counts; so are the four below."""
        return self._stored.input_tokens

    @property
    def output_tokens(self) -> int:
        """Tokens of answers."""
        return self._stored.output_tokens

    @property
    def cache_read_tokens(self) -> int:
        """Prompt tokens that came from a cache."""
        return self._stored.cache_read_tokens

    @property
    def cache_write_tokens(self) -> int:
        """Prompt tokens that went into a cache."""
        return self._stored.cache_write_tokens

    @property
    def cache_write_1h_tokens(self) -> int:
        """The part of those that a cache keeps for an hour."""
        return self._stored.cache_write_1h_tokens

    @property
    def reasoning_tokens(self) -> int:
        """The part of the answers that was reasoning."""
        return self._stored.reasoning_tokens

    @property
    def last_input_tokens(self) -> int:
        """Tokens of the last turn's prompt, cached parts included; 0 before the first and after a compaction."""
        return self._stored.last_input_tokens

    @property
    def last_output_tokens(self) -> int:
        """Tokens of the last turn's answer."""
        return self._stored.last_output_tokens

    @property
    def last_usage_message_count(self) -> int:
        """Messages there were when usage was last recorded: what comes after them is estimated."""
        return self._stored.last_usage_message_count

    @property
    def compaction(self) -> Provenance:
        """What earlier compactions left."""
        return self._stored.compaction

    def push(self, message: Message) -> None:
        """Add a message at the end."""
        self._stored.messages.append(message)

    def user(self, text: str, images: tuple[ImageSource, ...] = ()) -> None:
        """Add what a person says."""
        self.push(user_with_images(text, images) if images else user(text))

    def commit(self, message: Message, usage: TokenUsage) -> None:
        """Add the model's answer with what it cost: one more step."""
        self._stored.messages.append(message)
        self._stored.steps += 1
        self.record_usage(usage)

    def record_usage(self, usage: TokenUsage) -> None:
        """Add the tokens of a turn to the totals, and keep how large its prompt was."""
        stored = self._stored
        self._count(usage)
        stored.last_input_tokens = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        stored.last_output_tokens = usage.output_tokens
        stored.last_usage_message_count = len(stored.messages)

    def compact(self, messages: Iterable[Message], provenance: Provenance, usage: TokenUsage | None = None) -> None:
        """Put `messages` in the place of all, at the cost of `usage`; their size is unknown until a next turn."""
        stored = self._stored
        stored.messages = list(messages)
        stored.compaction = provenance
        stored.last_input_tokens = stored.last_output_tokens = stored.last_usage_message_count = 0
        if usage is not None:
            self._count(usage)

    def note_compaction(self, provenance: Provenance) -> None:
        """Keep what is known of compactions, and leave the messages alone."""
        self._stored.compaction = provenance

    def _count(self, usage: TokenUsage) -> None:
        for name in _COUNTS:
            setattr(self._stored, name, getattr(self._stored, name) + getattr(usage, name))

    # -- one run at a time

    def take(self) -> None:
        """Begin a run. Raises SessionBusy where one is in progress, which is not disturbed."""
        if self._busy:
            raise SessionBusy
        self._busy = True

    def release(self) -> None:
        """End it."""
        self._busy = False

    # -- storage

    def encode(self) -> bytes:
        """Return the session as JSON."""
        return msgspec.json.encode(self._stored)

    @classmethod
    def decode(cls, text: bytes | str) -> Session:
        """Return the session in JSON text. Raises SessionInvalid naming the path of what is wrong."""
        session = cls()
        try:
            # Not a decoder made once: to make one takes a millisecond of start-up, which most processes need not spend.
            session._stored = msgspec.json.decode(text, type=_Stored)
        except (ValueError, RecursionError) as error:
            # Of msgspec's own faults, and of text that is not UTF-8.
            raise SessionInvalid(f"session: {error}") from None
        return session

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Session) and self._stored == other._stored

    __hash__: Any = None

    def __repr__(self) -> str:
        return f"<Session messages={len(self._stored.messages)} steps={self.steps} busy={self._busy}>"
