"""What the bucket's stream says of itself, and what follows from it: resume or scan, trust the set or scan again.

Mechanism. A stream's last sequence counts every append, its number of messages falls with every removal. Between two
looks at one stream, appended minus added is therefore what was removed, exactly. A watch may resume behind what it has
seen where nothing was removed: then all that came is still there to be delivered. Where something was, an entry's end
may be among it, and only a scan tells. The same figures, looked at while watching, show removals that no message
announces, such as a purge of the stream. NATS ADR-8 has the bucket's names.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

import msgspec

NOT_FOUND: Final = frozenset({10059})
"""err_code of a JetStream answer that says there is no such stream."""


class ApiError(msgspec.Struct, frozen=True):
    """Why JetStream refused, as it says itself."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class _Config(msgspec.Struct, frozen=True):
    max_age: int = 0
    max_msgs_per_subject: int = -1
    allow_msg_ttl: bool = False


class _State(msgspec.Struct, frozen=True):
    messages: int = 0
    last_seq: int = 0
    num_subjects: int = 0


class StreamInfo(msgspec.Struct, frozen=True):
    """Answer to STREAM.INFO and STREAM.CREATE; only `error` is set where there is no stream."""

    created: str = ""
    ts: str | None = None
    config: _Config = _Config()
    state: _State = _State()
    error: ApiError | None = None

    @property
    def max_age_s(self) -> float:
        """Seconds after which the store drops any message, 0 for never."""
        return self.config.max_age / 1e9

    def clock_offset(self, now: float) -> float:
        """Seconds to add to a clock of ours, at `now` when the answer came, to get the server's; 0 where it is silent.

        Wrong by the way of the answer, which only lets an entry end that much later.
        """
        return wall_seconds(self.ts) - now if self.ts else 0.0


class Mark(NamedTuple):
    """A state of the stream that the deny-set has taken in whole."""

    created: str
    last_seq: int
    messages: int


_INFO: Final = msgspec.json.Decoder(StreamInfo)


def parse_info(answer: bytes) -> StreamInfo:
    """Return the stream's state from the answer to STREAM.INFO; msgspec.DecodeError for what is no such answer."""
    return _INFO.decode(answer)


def mark(info: StreamInfo) -> Mark:
    """Return the state to compare later ones with."""
    return Mark(info.created, info.state.last_seq, info.state.messages)


def removed(since: Mark, info: StreamInfo) -> int | None:
    """How many messages went since `since`; None where the stream is another one or has gone back in time."""
    appended = info.state.last_seq - since.last_seq
    if info.created != since.created or appended < 0:
        return None
    return appended - (info.state.messages - since.messages)


def resume_at(since: Mark | None, info: StreamInfo, revision: int) -> int | None:
    """Sequence to go on with behind what is known, where nothing in between can be missing; None where a scan is due.

    A stream without a message is no place to resume from: what is known of it may be of another bucket's life.
    """
    if since is None or not revision or revision > info.state.last_seq or removed(since, info) != 0:
        return None
    return max(revision, since.last_seq) + 1


class Drift:
    """Whether messages have left that nothing explains, from one state of the stream to the next.

    Explained are: as many as a write replaces; ends of entries by their own time, and of the store's markers, which
    `known` counts as they are seen; and `due` ones, which the store may have dropped just before us. They are set off
    against each other over time, because store and set do not end an entry at the same moment. `mark` is the last state
    that was taken in, the place to resume from; `doubtful` says that messages did go, and that it took a write's word
    that it replaced them.
    """

    __slots__ = ("_used", "doubtful", "mark")

    def __init__(self, taken_in: Mark, *, doubtful: bool = False) -> None:
        self.mark = taken_in
        self._used = 0
        self.doubtful = doubtful

    def suspects(self, info: StreamInfo, size: int, known: int, due: int) -> bool:
        """Whether the set, of `size` entries, may hold some that the store has no more."""
        over = self._over(info)
        if over is None or info.state.num_subjects < size - due:
            return True
        # Where old values are kept, the end of one brings another back: then ends explain nothing.
        explained = known + due - self._used if info.config.max_msgs_per_subject == 1 else 0
        return over > max(0, explained)

    def advance(self, info: StreamInfo) -> None:
        """Take in this state, which was not suspect."""
        over = self._over(info) or 0
        self._used += over
        self.doubtful = self.doubtful or (removed(self.mark, info) or 0) > over
        self.mark = mark(info)

    def _over(self, info: StreamInfo) -> int | None:
        """Messages that went beyond those that writes can have replaced; None where this is another stream."""
        gone = removed(self.mark, info)
        if gone is None:
            return None
        appended = info.state.last_seq - self.mark.last_seq
        kept = info.config.max_msgs_per_subject
        return max(0, gone - appended * kept) if kept > 0 or not appended else 0


def wall_seconds(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time as Go writes it, with up to nine digits; ValueError for other text."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole + "+00:00").timestamp() + (float(f"0.{fraction}") if fraction else 0.0)
