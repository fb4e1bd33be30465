"""Session files for the bench, as the agent would have written them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, BinaryIO

from beyond_agent.sessions.entries import VERSION, CompactionEntry, Header, RunEnd, line_of, message_line
from beyond_agent.sessions.naming import file_name
from beyond_wire.types import Message, TextBlock, TokenUsage, user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CREATED = "2026-01-02T03:04:05.000Z"
MODEL = "claude-opus-4-8"
PIECE_BYTES = 2_000


def long_session(folder: Path, cwd: str, *, size: int, context: int) -> Path:
    """A file of about `size` bytes whose last summary leaves `context` bytes of messages behind it."""
    header = _header("sess_" + "a" * 22, cwd)
    path = folder / file_name(header.created_at, header.id)
    ids = (f"{at:08x}" for at in count(1))
    with path.open("wb") as file:
        file.write(line_of(header))
        _, folded = _grow(file, ids, None, size - context)
        kept, last = _grow(file, ids, folded, context)
        summary = CompactionEntry(
            id=next(ids),
            parent_id=last,
            timestamp=CREATED,
            mode="summary",
            reason="threshold",
            summary="What happened before.",
            first_kept_id=kept,
        )
        file.write(line_of(summary))
    path.chmod(0o600)
    return path


def _grow(file: BinaryIO, ids: Iterator[str], parent: str | None, size: int) -> tuple[str, str]:
    """Write messages of `size` bytes in all behind `parent`; the entries of the first and the last."""
    end, first = file.tell() + size, next(ids)
    entry = first
    for message in _messages():
        file.write(message_line(entry, parent, CREATED, message))
        if file.tell() >= end:
            break
        parent, entry = entry, next(ids)
    return first, entry


def short_ends(folder: Path, cwd: str, *, sessions: int, size: int) -> None:
    """So many files of `size` bytes, real at both ends and a hole between."""
    for number in range(sessions):
        header = _header(f"sess_{number:022x}", cwd)
        asked, said = (next(_messages()), message_line("00000003", "00000001", CREATED, _answer()))
        with (folder / file_name(header.created_at, header.id)).open("wb") as file:
            file.write(line_of(header) + message_line("00000001", None, CREATED, asked))
            file.truncate(size - len(said) - 400)
            file.seek(0, 2)
            file.write(b"\n" + said + line_of(_end(number)))


def _header(session_id: str, cwd: str) -> Header:
    return Header(version=VERSION, id=session_id, created_at=CREATED, cwd=cwd, model=MODEL)


def _end(number: int) -> RunEnd:
    return RunEnd(
        id="00000004",
        parent_id="00000003",
        timestamp=CREATED,
        outcome="done",
        steps=2_000,
        title=f"Session {number}",
        model=MODEL,
        message_count=4_000,
    )


def _messages() -> Iterator[Message]:
    """A question and an answer in turn, for ever, each of PIECE_BYTES."""
    while True:
        yield user("Why does the test fail? " * (PIECE_BYTES // 24))
        yield _answer()


def _answer() -> Message:
    said = "Because the sum is a difference. " * (PIECE_BYTES // 33)
    cost = TokenUsage(input_tokens=500, output_tokens=500)
    return Message(
        role="assistant", content=(TextBlock(text=said),), model_id=MODEL, stop_reason="end_turn", usage=cost
    )
