"""The loop, played by hand: this effect is expected, that answer is given, and at the end all of it must hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from beyond_agent_core.control import Control, Queued
from beyond_agent_core.effects import ANSWERS, AfterTurn, Checkpoint, Emit, GoOn, Saved
from beyond_agent_core.errors import PlaybookMismatch
from beyond_agent_core.loop import loop
from beyond_agent_core.run import End, Run, Settings
from beyond_agent_core.session import Session
from beyond_agent_core.testing.clock import FakeClock
from beyond_agent_core.testing.fit import assert_fit
from beyond_agent_core.testing.grammar import assert_grammar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from beyond_agent_core.compaction_text import Targets
    from beyond_agent_core.effects import Answer, Effect
    from beyond_agent_core.events import AgentEvent


class Playbook:
    """One run. Use it in a `with` block, which ends only where the run has ended, in order, with a fit session.

    Checkpoints and after-turn hooks are answered by themselves unless they are expected.
    """

    def __init__(
        self,
        prompt: str | None = "do it",
        *,
        settings: Settings | None = None,
        session: Session | None = None,
        control: Control | None = None,
        targets: Targets | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.session = session or Session()
        self.control = control or Control()
        settings = settings or Settings(model="claude-opus-4-8")
        self.run = Run(self.session, settings, self.control, clock=self.clock, chance=lambda: 0.0)
        if targets is not None:
            self.run.targets = targets
        self.events: list[AgentEvent] = []
        self.end: End | None = None
        self._steps = loop(self.run, None if prompt is None else Queued(prompt))
        self._effect: Effect | None = next(self._steps)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            return
        self._go_on_to(None)
        if self.end is None:
            raise PlaybookMismatch(self._told("the run has not ended"))
        assert_grammar(self.events)
        assert_fit(self.session)

    def expect(self, kind: type[Effect], **fields: object) -> Self:
        """Go on to the next effect that is looked at: it must be `kind`, and have these fields."""
        self._go_on_to(kind)
        effect = self._effect
        if not isinstance(effect, kind):
            raise PlaybookMismatch(self._told(f"expected {kind.__name__}"))
        for name, value in fields.items():
            if getattr(effect, name) != value:
                raise PlaybookMismatch(self._told(f"expected {name}={value!r}"))
        return self

    def reply(self, answer: Answer, *, checked: bool = True) -> Self:
        """Answer the effect that was expected; not `checked`, also with what is no answer to it."""
        effect = self._effect
        if effect is None or (checked and not isinstance(answer, ANSWERS[type(effect)])):
            raise PlaybookMismatch(self._told(f"{type(answer).__name__} is no answer"))
        self._send(answer)
        return self

    def throw(self, error: Exception) -> Self:
        """Let the driver fail at the effect that was expected."""
        self._step(lambda: self._steps.throw(error))
        return self

    def next_effect(self) -> Effect | None:
        """Go on to the next effect that is not answered by itself, and return it; None at the end."""
        self._go_on_to(None)
        return self._effect

    @property
    def effect(self) -> Effect | None:
        """The effect that waits for its answer."""
        return self._effect

    def ends(self, outcome: str) -> Self:
        """Go on to the end of the run, which must be `outcome`."""
        self._go_on_to(None)
        if self.end is None or self.end.outcome != outcome:
            raise PlaybookMismatch(self._told(f"expected the end {outcome}"))
        return self

    def kinds(self) -> list[str]:
        """Return the kinds of the events so far."""
        return [str(type(event).__struct_config__.tag) for event in self.events]

    def _go_on_to(self, kind: type[Effect] | None) -> None:
        while True:
            match self._effect:
                case Emit(event):
                    self.events.append(event)
                    self._send(None)
                case Checkpoint() if kind is not Checkpoint:
                    self._send(Saved())
                case AfterTurn() if kind is not AfterTurn:
                    self._send(GoOn())
                case _:
                    return

    def _send(self, answer: Answer) -> None:
        self._step(lambda: self._steps.send(answer))

    def _step(self, move: Callable[[], Effect]) -> None:
        try:
            self._effect = move()
        except StopIteration as stop:
            self._effect = None
            self.end = stop.value

    def _told(self, what: str) -> str:
        said = ", ".join(self.kinds())
        return f"{what}; the loop asks for {self._effect!r}, the end is {self.end!r}; events so far: {said}"
