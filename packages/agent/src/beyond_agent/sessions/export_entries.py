"""The conversation of an exported page: the entries of the active branch in order, and what stands beside them.

A call is shown with its result, though that comes a message later: so each message is read with the one behind it.
Marks stand where a compaction folded what is above, and where another branch begins.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from beyond_agent.sessions.entries import (
    NOT_DECODED,
    BranchSummaryEntry,
    CompactionEntry,
    ModelChange,
    RunEnd,
    decode_entry,
    decode_known,
    decode_message,
)
from beyond_agent.sessions.views import branches
from beyond_wire.types import (
    ImageBlock,
    Message,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    TokenUsage,
    ToolResultBlock,
    ToolUseBlock,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from beyond_agent.sessions.book import Book
    from beyond_agent.sessions.export_parts import Parts
    from beyond_wire.types import ContentBlock

    Results: TypeAlias = dict[str, list[ToolResultBlock]]

_WHO: Final = {"user": "User", "assistant": "Assistant", "system": "System"}


class Entries:
    """Iterates over the markup of what is on the active branch of a book."""

    def __init__(self, book: Book, parts: Parts) -> None:
        self.parts = parts
        self._book = book
        self._tree = book.outline.tree

    def __iter__(self) -> Iterator[str]:
        path = self._tree.path(self._tree.tip)
        messages = [row for row in path if self._tree.kind(row) == "message"]
        follows = dict(pairwise(messages))
        leaving, facts = self._leaving(set(path)), self._facts(set(path))
        ahead: Message | None = None
        left: Results | None = None
        for row in path:
            if self._tree.kind(row) != "message":
                yield self._mark(row)
            elif (message := ahead or self._message(row)) is not None:
                ahead = self._message(follows[row]) if _calls(message) and row in follows else None
                waiting = None if ahead is None else _results(ahead)
                yield self._article(row, message, waiting or {}, left)
                left = waiting
            yield from (self._marked(told) for told in leaving.get(row, ()))
            yield from (self._fact(fact) for fact in facts.get(row, ()))

    # -- messages

    def _article(self, row: int, message: Message, waiting: Results, left: Results | None) -> str:
        """Return a message; its calls take what is `waiting` for them, its own results are those that were `left`."""
        body: list[str] = []
        for block in message.content:
            if isinstance(block, ToolUseBlock):
                results = waiting.get(block.id)
                body.append(self.parts.call(block, results.pop(0) if results else None))
            elif not isinstance(block, ToolResultBlock):
                body.append(self._block(block))
            elif left is None or any(block is each for each in left.get(block.tool_use_id, ())):
                body.append(self.parts.result_alone(block))
        if message.error_message is not None:
            body.append(f'<p class="fault">{self.parts.text(message.error_message)}</p>')
        if not any(body):
            return ""
        return (
            f'<article class="{message.role}" id="e{self._tree.id(row)}">\n<h2>{self._who(row, message)}</h2>\n'
            f"{''.join(body)}\n</article>\n"
        )

    def _block(self, block: ContentBlock) -> str:
        match block:
            case TextBlock():
                return self.parts.prose(block.text)
            case ThinkingBlock():
                return self.parts.folded("Thinking", self.parts.prose(block.thinking), "thinking")
            case RedactedThinkingBlock():
                return '<p class="note">[thinking that the provider keeps hidden]</p>'
            case ImageBlock():
                return self.parts.image(block.source)
            case _:
                return ""

    def _who(self, row: int, message: Message) -> str:
        label = self._book.outline.labels.get(row)
        cost = None if message.usage is None else tokens(message.usage)
        about = (message.model_id, cost, "aborted" if message.aborted else None, self._time(row))
        named = "" if label is None else f"<small>{self.parts.text(label)}</small>"
        return f"{_WHO[message.role]}{named}<small>{self.parts.text(' · '.join(filter(None, about)))}</small>"

    # -- marks

    def _mark(self, row: int) -> str:
        match self._known(row):
            case CompactionEntry() as entry:
                what = "Results cut" if entry.mode == "clear" else "Conversation compacted"
                sizes = f"about {entry.tokens_before:,} tokens became {entry.tokens_after:,}"
                return self._marked(f"{what}: {sizes} ({entry.reason})", entry.summary or "")
            case BranchSummaryEntry() as entry:
                return self._marked("Another branch was left", entry.summary)
            case _:
                return ""

    def _marked(self, what: str, said: str = "") -> str:
        folded = self.parts.folded("Summary", self.parts.prose(said))
        return f'<section class="mark"><b>{self.parts.text(what)}</b>{folded}</section>\n'

    def _fact(self, row: int) -> str:
        match self._known(row):
            case ModelChange() as entry:
                told = f"model: {entry.model}"
            case RunEnd() as entry:
                told = f"run {entry.outcome} · {self._time(row)}"
            case _:
                return ""
        return f'<p class="note">{self.parts.text(told)}</p>\n'

    # -- what stands beside the path

    def _leaving(self, path: set[int]) -> dict[int, list[str]]:
        """Return, by the row of the path that they leave, what other branches lead to."""
        tree = self._tree
        leaving: dict[int, list[str]] = {}
        for branch in branches(self._book):
            row = tree.row(branch.leaf_id)
            where = None if row is None else next((each for each in reversed(tree.path(row)) if each in path), None)
            if where is None or where == row:
                continue
            named = f" “{branch.label}”" if branch.label else ""
            told = f"{branch.message_count - tree.messages_to(where)} more messages, to “{branch.preview}”"
            leaving.setdefault(where, []).append(f"Another branch{named} begins here: {told}")
        return leaving

    def _facts(self, path: set[int]) -> dict[int, list[int]]:
        """Return the rows of facts that a page shows by the row of the path that they follow."""
        tree = self._tree
        facts: dict[int, list[int]] = {}
        for row in range(len(tree)):
            if tree.kind(row) in ("model_change", "run_end") and tree.parent(row) in path:
                facts.setdefault(tree.parent(row), []).append(row)
        return facts

    # -- reading

    def _known(self, row: int) -> object:
        try:
            return decode_known(self._book.line(row))
        except NOT_DECODED:
            return None

    def _message(self, row: int) -> Message | None:
        try:
            return decode_message(self._book.line(row))
        except NOT_DECODED:
            return None

    def _time(self, row: int) -> str:
        try:
            timestamp = decode_entry(self._book.line(row)).timestamp
        except NOT_DECODED:
            return ""
        return timestamp[:19].replace("T", " ") + (" UTC" if timestamp.endswith("Z") else "")


def tokens(usage: TokenUsage) -> str:
    """Return what was used, in words."""
    prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return f"{prompt:,} in / {usage.output_tokens:,} out tokens"


def _calls(message: Message) -> bool:
    return any(isinstance(block, ToolUseBlock) for block in message.content)


def _results(message: Message) -> Results:
    """Return the results in a message by their calls, in order: an id may come twice."""
    found: Results = {}
    for block in message.content:
        if isinstance(block, ToolResultBlock):
            found.setdefault(block.tool_use_id, []).append(block)
    return found
