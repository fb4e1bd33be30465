"""Random work on a session, again and again reloaded, beside a model of it that keeps everything in lists."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import hypothesis.strategies as st
from agent_sessions import CWD, MODEL, answer, said, store_in
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from beyond_agent_core.compaction_text import summary_text
from beyond_agent_core.session import Provenance
from beyond_wire.types import user

WORDS = st.text('abc …\n\u2028\U0001f600"\\', min_size=1, max_size=8)


class SessionMachine(RuleBasedStateMachine):
    """`contexts` has, for every entry that can be a tip, the texts of the context that it is the tip of."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(mkdtemp())
        self.store = store_in(self.folder)
        self.stored = self.store.create(CWD, MODEL, "t")
        self.contexts: dict[str | None, list[str]] = {None: []}
        self.labels: dict[str, str] = {}
        self.steps = 0
        self.number = 0

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.stored.close()
            shutil.rmtree(self.folder)

    @property
    def now(self) -> list[str]:
        return self.contexts[self.stored.leaf_id]

    def save(self) -> None:
        """Write what is new; the model's context of each new entry is the one before and its own text."""
        before, context = len(self.stored.ids), list(self.now)
        asyncio.run(self.stored.checkpoint("results", self.stored.session))
        for entry_id, message in self.stored.messages_since()[before:]:
            context = [*context, said(message)]
            self.contexts[entry_id] = context

    @rule(text=WORDS)
    def ask(self, text: str) -> None:
        self.stored.session.user(f"ask {text}")
        self.save()

    @rule(text=WORDS, tokens=st.integers(0, 99))
    def answer(self, text: str, tokens: int) -> None:
        message = answer(f"say {text}", tokens=tokens)
        assert message.usage is not None
        self.stored.session.commit(message, message.usage)
        self.steps += 1
        self.save()

    @rule(data=st.data(), before=st.booleans())
    @precondition(lambda self: len(self.contexts) > 1)
    def switch(self, data: Any, *, before: bool) -> None:
        target = data.draw(st.sampled_from(sorted(filter(None, self.contexts))))
        parent = next(each.parent_id for each in self.stored.tree(limit=9999)[0] if each.id == target)
        self.stored.switch(target, before=before)
        assert self.stored.leaf_id == (parent if before else target)

    @rule(text=WORDS)
    def summarize_branch(self, text: str) -> None:
        context = list(self.now)
        entry_id = self.stored.add_branch_summary(None, text)
        self.contexts[entry_id] = [*context, said(self.stored.session.messages[-1])]

    @rule(data=st.data(), text=WORDS)
    @precondition(lambda self: len(self.now) > 1)
    def compact(self, data: Any, text: str) -> None:
        """Fold the beginning, as a summary of a run does."""
        messages = self.stored.session.messages
        first = data.draw(st.integers(1, len(messages) - 1))
        self.number += 1
        summary = f"{self.number} {text}"
        told = user(summary_text(summary, (), ()))
        kept = self.now[first:]
        self.stored.session.compact((told, *messages[first:]), Provenance(summary=summary, first_kept=first))
        asyncio.run(self.stored.checkpoint("compaction", self.stored.session))
        self.contexts[self.stored.leaf_id] = [said(told), *kept]

    @rule(data=st.data(), text=WORDS)
    @precondition(lambda self: bool(self.now))
    def unwritten_then_compacted(self, data: Any, text: str) -> None:
        """A message and a summary reach the file with one checkpoint."""
        self.number += 1
        self.stored.session.user(f"late {text}")
        messages = self.stored.session.messages
        first = data.draw(st.integers(1, len(messages) - 1))
        told = user(summary_text(str(self.number), (), ()))
        kept = [*self.now, f"late {text}"][first:]
        late_context = [*self.now, f"late {text}"]
        provenance = Provenance(summary=str(self.number), first_kept=first)
        self.stored.session.compact((told, *messages[first:]), provenance)
        known = set(self.contexts)
        asyncio.run(self.stored.checkpoint("compaction", self.stored.session))
        for node in self.stored.tree(limit=9999)[0]:
            if node.id not in known and node.type == "message":
                self.contexts[node.id] = late_context
        self.contexts[self.stored.leaf_id] = [said(told), *kept]

    @rule(data=st.data(), name=st.one_of(st.none(), WORDS))
    @precondition(lambda self: len(self.contexts) > 1)
    def label(self, data: Any, name: str | None) -> None:
        target = data.draw(st.sampled_from(sorted(filter(None, self.contexts))))
        self.stored.label(target, name)
        self.labels.pop(target, None)
        if name is not None:
            self.labels[target] = name

    @rule()
    def end(self) -> None:
        asyncio.run(self.stored.end_run("done"))
        assert self.stored.last_outcome == "done"

    @rule(garbage=st.binary(min_size=0, max_size=20))
    @precondition(lambda self: len(self.contexts) > 1)
    def reload(self, garbage: bytes) -> None:
        """Close, damage the end, and open again: the same session."""
        before, totals = self.stored.session, self.stored.last_outcome
        tip, ids, title = self.stored.leaf_id, self.stored.ids, self.stored.title
        self.stored.close()
        with Path(self.stored.path or "").open("ab") as file:
            file.write(garbage)
        self.stored = self.store.open(self.stored.id)
        assert self.stored.session.messages == before.messages
        assert self.stored.session.last_input_tokens == before.last_input_tokens
        assert self.stored.session.input_tokens == before.input_tokens
        assert (self.stored.leaf_id, self.stored.ids, self.stored.title) == (tip, ids, title)
        assert self.stored.last_outcome == totals

    @rule()
    @precondition(lambda self: len(self.contexts) > 1)
    def fork(self) -> None:
        copy = self.store.fork(self.stored)
        assert copy.session.messages == self.stored.session.messages
        assert copy.ids == self.stored.ids
        copy.close()

    @invariant()
    def is_as_the_model_says(self) -> None:
        if not hasattr(self, "stored"):
            return
        assert [said(message) for message in self.stored.session.messages] == self.now
        assert self.stored.session.steps == self.steps
        assert {
            each.id: each.label for each in self.stored.tree(limit=9999)[0] if each.label is not None
        } == self.labels


TestSession = SessionMachine.TestCase
TestSession.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
