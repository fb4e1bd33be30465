"""A session that is open: the conversation that runs work on, and the log that keeps what came of it.

`session` is core's and changes in memory; `checkpoint`, which an agent calls where the contract says, brings the log up
to it. Everything else that is worth keeping (another model, a title, a label, another branch, the end of a run) is one
line at once. The methods that write raise SessionSuperseded once another writer has taken the session over, and
SessionIO where the disk fails; nothing is lost then that was written before.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from beyond_agent.sessions import views
from beyond_agent.sessions.context import branch_text
from beyond_agent.sessions.entries import (
    BranchSummaryEntry,
    LabelEntry,
    LeafEntry,
    ModelChange,
    RunEnd,
    ThinkingLevelChange,
    TitleChange,
)
from beyond_agent.sessions.errors import NotFound
from beyond_agent.sessions.lease import RENEW_S
from beyond_agent.sessions.naming import clean_title, title_from
from beyond_agent.sessions.recorder import Recorder
from beyond_agent.sessions.tree import NONE
from beyond_agent_core.events import Compacted
from beyond_wire.types import Message, TokenUsage, user

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any

    from beyond_agent.sessions.book import Book
    from beyond_agent.sessions.outline import LastOutcome
    from beyond_agent.sessions.scan import Skipped
    from beyond_agent_core.events import AgentEvent, Outcome
    from beyond_agent_core.session import Session


class StoredSession:
    """`path` is its file, None for one that is not stored; `skipped` says which lines of it could not be read.

    Made by a store. Whoever has it calls `renew` every 15 s (or lets `keep_lease` do it) and `close` at the end.
    """

    def __init__(self, book: Book, path: str | None, skipped: Skipped) -> None:
        context = book.context()
        skipped.join(context.skipped)
        self.book = book
        self.path = path
        self.skipped = skipped
        self._recorder = Recorder(book, context)
        self._closed = False

    # -- what it is

    @property
    def id(self) -> str:
        """Its id: `sess_` and 22 hex digits, or what somebody asked for."""
        return self.book.outline.header.id

    @property
    def cwd(self) -> str:
        """The directory that it works in."""
        return self.book.outline.header.cwd

    @property
    def created_at(self) -> str:
        """When it began, in UTC."""
        return self.book.outline.header.created_at

    @property
    def parent(self) -> str | None:
        """The id of the session that it was copied from."""
        return self.book.outline.header.parent

    @property
    def model(self) -> str:
        """The model that answered last, or was chosen since."""
        return self.book.outline.model

    @property
    def level(self) -> int | str | None:
        """How much it thinks, as chosen last: a budget in tokens, an effort, or None where nobody chose."""
        return self.book.outline.level

    @property
    def title(self) -> str | None:
        """What it is called."""
        return self.book.outline.title

    @property
    def last_outcome(self) -> LastOutcome:
        """How the last run ended; `crashed` where the log has no end of it, None where there was no run."""
        return self.book.outline.outcome

    @property
    def superseded(self) -> bool:
        """Whether another writer has taken it over: nothing more can be written from here."""
        return self.book.log.superseded

    # -- the conversation

    @property
    def session(self) -> Session:
        """The conversation of the active branch, for runs; another object after `switch`."""
        return self._recorder.session

    @property
    def leaf_id(self) -> str | None:
        """The entry that the conversation goes on from; None at its beginning."""
        return self.book.outline.tree.id(self.book.outline.tree.tip)

    @property
    def ids(self) -> Sequence[str]:
        """The entries of the messages that are in the log, in order."""
        return tuple(self._recorder.ids)

    def messages_since(self, entry_id: str | None = None) -> list[tuple[str, Message]]:
        """Return the messages of the context behind an entry, each with its id; all of them for None.

        Those that no checkpoint has written yet are left out. Raises NotFound where `entry_id` is not in the context.
        """
        ids, start = self._recorder.ids, 0
        if entry_id is not None:
            if entry_id not in ids:
                raise NotFound(f"no message {entry_id!r} in this context: ask again without `since`")
            start = ids.index(entry_id) + 1
        return list(zip(ids[start:], self._recorder.written[start:], strict=True))

    # -- runs

    def watch(self, event: AgentEvent) -> None:
        """Take in an event of a run: from it a compaction's entry has its figures. Not calling it costs only those."""
        if isinstance(event, Compacted):
            self._recorder.told = event

    async def checkpoint(self, at: str, session: Session | None = None) -> None:
        """Write what is new in the session, and return when the disk has it: what `Agent(checkpoint=…)` takes.

        Raises SessionSuperseded, SessionRemoved, SessionIO; then what is missing is written by the next one.
        """
        if session is not None and session is not self.session:
            raise ValueError("this is the checkpoint of another session")
        self._recorder.record()
        if at == "prompt" and self.title is None:
            self._title_from_prompt()
        await self.book.log.sync()

    async def end_run(self, outcome: Outcome) -> None:
        """Write that a run is settled, and what the session has used by then. Due behind `agent_end`."""
        self._recorder.record()
        self._write_end(outcome)
        await self.book.log.sync()

    def note(self, text: str) -> None:
        """Write what a person says outside of a run, which stays as settled as it was."""
        before = self.last_outcome
        self.session.user(text)
        self._recorder.record()
        if before != "crashed":
            self._write_end(before or "done")

    def settle(self) -> None:
        """Write that what is there is no broken run: for a copy, which has had none."""
        self._write_end("done")

    # -- facts

    def change_model(self, model: str) -> None:
        """Write that another model answers from here on; nothing where it is the same."""
        if model != self.model:
            self.book.add(ModelChange, model=model)

    def change_thinking(self, level: int | str | None) -> None:
        """Write how much it thinks from here on: a budget in tokens, an effort, or nothing."""
        if level != self.level:
            self.book.add(ThinkingLevelChange, level=level)

    def rename(self, title: str) -> str:
        """Write another title; return it as it was kept: one line, no controls, at most 200 characters."""
        title = clean_title(title)
        self.book.add(TitleChange, title=title)
        return title

    def label(self, target_id: str, label: str | None) -> None:
        """Give an entry a name, or take it away. Raises NotFound."""
        views.row_of(self.book, target_id)
        self.book.add(LabelEntry, target_id=target_id, label=label)

    def label_of(self, target_id: str) -> str | None:
        """Return the name of an entry. Raises NotFound."""
        return self.book.outline.labels.get(views.row_of(self.book, target_id))

    # -- branches

    def tree(self, since: str | None = None, limit: int = views.PAGE) -> tuple[list[views.Node], str | None]:
        """Return a page of the entries behind `since`, and the id to ask for the next with. Raises NotFound."""
        return views.nodes(self.book, since, limit)

    def branches(self) -> list[views.Branch]:
        """Return all tips of the tree, in order of arrival."""
        return views.branches(self.book)

    def place_of(self, target_id: str | None = None, *, before: bool = False, upto: int | None = None) -> str | None:
        """Return the entry that is meant: `upto` so many messages of the context, or a target, or the one before it.

        The tip where nothing is given; None for the beginning. Raises NotFound.
        """
        if upto is not None:
            if not 0 <= upto <= len(self._recorder.ids):
                raise NotFound(f"no {upto} messages in this context: it has {len(self._recorder.ids)}")
            return self._recorder.ids[upto - 1] if upto else None
        if target_id is None:
            return self.leaf_id
        tree, row = self.book.outline.tree, views.row_of(self.book, target_id)
        return tree.id(tree.parent(row) if before else row)

    def left_by(self, target_id: str, *, before: bool = False) -> list[Message]:
        """Return the messages that a switch to an entry would leave: those behind where both branches part."""
        tree, target = self.book.outline.tree, self.place_of(target_id, before=before)
        shared = set(tree.path(NONE if target is None else views.row_of(self.book, target)))
        left = {tree.id(row) for row in tree.path(tree.tip) if row not in shared}
        written = zip(self._recorder.ids, self._recorder.written, strict=True)
        return [message for entry_id, message in written if entry_id in left]

    def switch(self, target_id: str, *, before: bool = False) -> None:
        """Go on from an entry, or from the state before it: `session` is another one then. Raises NotFound.

        Not for a session that a run works on.
        """
        target = self.place_of(target_id, before=before)
        self._recorder.record()
        if target != self.leaf_id:
            self.book.add(LeafEntry, target_id=target)
        self._recorder = Recorder(self.book, self.book.context())

    def add_branch_summary(self, from_id: str | None, summary: str, details: dict[str, Any] | None = None) -> str:
        """Tell the active branch what happened on the one left at `from_id`; return the id of that entry."""
        self._recorder.record()
        entry_id = self.book.add(BranchSummaryEntry, from_id=from_id, summary=summary, details=details or {})
        self._recorder.push(user(branch_text(summary)), entry_id)
        return entry_id

    # -- the right to write

    def renew(self) -> bool:
        """Keep the lease; return whether it is still ours. Due every `RENEW_S` seconds. Raises SessionIO."""
        return self.book.log.renew()

    async def keep_lease(self, pause: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Renew the lease every 15 s; return once it is another writer's. Raises SessionIO."""
        while self.renew():
            await pause(RENEW_S)

    def close(self) -> None:
        """Give up the lease and the file, which is removed where nothing was ever said in it. Twice is once."""
        if not self._closed:
            self._closed = True
            self.book.log.close(remove=self.book.outline.empty and not self.skipped.count)

    def __repr__(self) -> str:
        return f"<StoredSession {self.id} entries={len(self.book.outline.tree)} superseded={self.superseded}>"

    def _title_from_prompt(self) -> None:
        first = next((message for message in self._recorder.written if message.role == "user"), None)
        title = "" if first is None else title_from(views.said_in(first))
        if title:
            self.book.add(TitleChange, title=title)

    def _write_end(self, outcome: Outcome) -> None:
        tree, session = self.book.outline.tree, self.session
        self.book.add(
            RunEnd,
            outcome=outcome,
            steps=session.steps,
            title=self.title,
            model=self.model,
            message_count=tree.messages_to(tree.tip),
            **{name: getattr(session, name) for name in TokenUsage.__struct_fields__},
        )
