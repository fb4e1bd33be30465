"""One run's state between effects: what it works on, what it has used, and why it must end. No effect is asked here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from beyond_agent_core.compaction_plan import CompactionSettings, Sizes, sizes_for
from beyond_agent_core.effects import ToolResult
from beyond_agent_core.errors import RunFailed, RunFault
from beyond_agent_core.estimate import prompt_tokens
from beyond_agent_core.events import CompactionReason, LimitHit, Outcome, Undelivered
from beyond_agent_core.limits import Limits, Used, message_of
from beyond_agent_core.retry import STANDARD, RetryPolicy
from beyond_wire.caps import caps_for
from beyond_wire.types import (
    Caps,
    Effort,
    ImageBlock,
    Message,
    ModelRequest,
    TextBlock,
    Thinking,
    TokenUsage,
    ToolDef,
    ToolResultBlock,
    ToolUseBlock,
    Turn,
    tool_uses,
    user_with_images,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_agent_core.compaction_text import Targets
    from beyond_agent_core.control import Control, ModelChoice, Queued
    from beyond_agent_core.effects import CallFailed, Why
    from beyond_agent_core.session import Session
    from beyond_wire.types import ContentBlock

LEAST_MAX_TOKENS: Final = 4096
"""Room for an answer that a request asks for at least, and that is kept free of the prompt."""
LEAST_ANSWER: Final = 1024
BROKEN_OFF: Final = "cancelled: tool call aborted before it finished"
"""Result of a call that was cut short (agent-core contract, the loop)."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What every request of a run has in common; `tools` in any order, `thinking` a budget in tokens.

    Without `retry` every fault of a model call is final. `caps` are the abilities of `model`, in the place of what
    `caps_of` says of it, and of other models that are switched to.
    """

    model: str
    system: str | None = None
    tools: tuple[ToolDef, ...] = ()
    max_tokens: int | None = None
    thinking: int | None = None
    reasoning_effort: Effort | None = None
    temperature: float | None = None
    cache_key: str | None = None
    limits: Limits = Limits()
    retry: RetryPolicy | None = STANDARD
    compaction: CompactionSettings = CompactionSettings()
    caps: Caps | None = None
    caps_of: Callable[[str], Caps] = caps_for


class End(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run is over; `cause` is the exception behind an `internal` fault."""

    outcome: Outcome
    fault: RunFault | None = None
    limit: LimitHit | None = None
    cause: Exception | None = None


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller gets: expected outcomes are values. `text` is that of the run's last answer, `usage` the run's."""

    outcome: Outcome
    steps: int
    stop_reason: str | None
    text: str
    usage: TokenUsage
    fault: RunFault | None = None
    limit: LimitHit | None = None
    undelivered: Undelivered = Undelivered()
    cause: Exception | None = None

    def raise_for_outcome(self) -> None:
        """Raise RunFailed, from its cause, unless the run is done."""
        if self.outcome != "done":
            raise RunFailed(self.outcome, self.fault) from self.cause


def _no_files(_: ToolUseBlock) -> tuple[None, None]:
    return None, None


class Run:
    """`clock` gives monotonic seconds, `chance` numbers from 0 to 1; both are the driver's.

    `targets` gives the paths that a call read and wrote, for the lists that a compaction keeps; it raises nothing.
    """

    def __init__(
        self,
        session: Session,
        settings: Settings,
        control: Control,
        *,
        clock: Callable[[], float],
        chance: Callable[[], float],
        targets: Targets = _no_files,
    ) -> None:
        self.session = session
        self.settings = settings
        self.control = control
        self.chance = chance
        self.targets = targets
        self.stop_reason: str | None = None
        self.open_step: int | None = None
        self.open_calls: list[ToolUseBlock] = []
        self.open_compaction: CompactionReason | None = None
        self.truncated_turns = 0
        self._all_tools = settings.tools
        self._clock = clock
        self._started = clock()
        self._used = Used()
        self._text = ""
        self._usage_before = session.usage

    # -- why it must end

    def must_end(self) -> End | None:
        """Return the end that is due before the next model call: cancelled, asked to stop, or a limit reached."""
        if self.control.cancelled:
            return self.interrupted("cancelled")
        if self.control.stop_requested:
            return End(outcome="done")
        hit = self.settings.limits.crossed(self.used)
        return None if hit is None else _limit(hit)

    def interrupted(self, why: Why) -> End:
        """Return the end of a run whose effect was interrupted."""
        if why == "cancelled":
            return End(outcome="cancelled", fault=RunFault(code="cancelled", message="run cancelled"))
        most = self.settings.limits.max_seconds or 0.0
        return _limit(
            self.settings.limits.crossed(self.used) or LimitHit(name="max_seconds", max=most, used=self.used.seconds)
        )

    @property
    def used(self) -> Used:
        """What the run has used by now."""
        self._used.seconds = self._clock() - self._started
        return self._used

    @property
    def caps(self) -> Caps:
        """Abilities of the model that is asked now."""
        return self.settings.caps or self.settings.caps_of(self.settings.model)

    @property
    def sizes(self) -> Sizes:
        """Sizes of a compaction for that model."""
        return sizes_for(self.settings.compaction, self.caps)

    # -- what it asks

    def request(self) -> ModelRequest:
        """Return the next request, over a snapshot of the session."""
        settings = self.settings
        caps = self.caps
        wanted = settings.max_tokens or max(LEAST_MAX_TOKENS, caps.max_output)
        room = caps.window - prompt_tokens(self.session) - LEAST_MAX_TOKENS
        return ModelRequest(
            model=settings.model,
            system=settings.system,
            messages=self.session.messages,
            tools=tuple(sorted(settings.tools, key=lambda tool: tool.name)),
            max_tokens=min(wanted, max(room, LEAST_ANSWER, (settings.thinking or 0) + 1)),
            thinking=None if settings.thinking is None else Thinking(budget_tokens=settings.thinking),
            reasoning_effort=settings.reasoning_effort,
            temperature=settings.temperature,
            cache_key=settings.cache_key,
        )

    def switch(self, asked: ModelChoice) -> None:
        """Ask another model from now on."""
        self.settings = msgspec.structs.replace(
            self.settings,
            model=asked.model,
            thinking=asked.thinking,
            reasoning_effort=asked.effort,
            caps=self.settings.caps if asked.model == self.settings.model else None,
        )
        known = self.session.compaction
        self.session.note_compaction(msgspec.structs.replace(known, failures=0, broken_for=""))

    def retain(self, names: Sequence[str]) -> tuple[str, ...]:
        """Keep the tools of these names; return the names that there are, sorted."""
        tools = tuple(tool for tool in self._all_tools if tool.name in names)
        self.settings = msgspec.structs.replace(self.settings, tools=tools)
        return tuple(sorted(tool.name for tool in tools))

    # -- what enters the session

    def commit(self, turn: Turn) -> None:
        """Take the model's answer: the only place where one enters the session."""
        message = msgspec.structs.replace(
            turn.message, model_id=self.settings.model, stop_reason=turn.stop_reason, usage=turn.usage
        )
        self.session.commit(message, turn.usage)
        self.stop_reason = turn.stop_reason
        self._text = "".join(block.text for block in message.content if isinstance(block, TextBlock))
        self._used.steps += 1
        self.charge(turn.usage)

    def charge(self, usage: TokenUsage) -> None:
        """Count what a model call cost."""
        self._used.tokens += (
            usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        )
        if self.settings.limits.prices is not None:
            self._used.cost += self.settings.limits.prices.cost(usage)

    def charge_failed(self, failed: CallFailed) -> None:
        """Count what an attempt cost that failed."""
        if failed.usage is not None:
            self.charge(failed.usage)

    def push_prompt(self, prompt: Queued, steers: Sequence[Queued]) -> None:
        """Add what a person asked, with what was said before it began."""
        first = user_with_images(prompt.text, prompt.images)
        self.session.push(msgspec.structs.replace(first, content=(*first.content, *_said(steers))))

    def push_said(self, messages: Sequence[Queued]) -> None:
        """Add each queued message as a message of its own."""
        for message in messages:
            self.session.push(user_with_images(message.text, message.images))

    def push_results(
        self, calls: Sequence[ToolUseBlock], results: Sequence[ToolResult], steers: Sequence[Queued] = ()
    ) -> None:
        """Add one message: every call's result in call order, then what was said meanwhile."""
        blocks: list[ContentBlock] = [
            ToolResultBlock(tool_use_id=call.id, content=result.text, is_error=result.is_error, images=result.images)
            for call, result in zip(calls, results, strict=True)
        ]
        self.session.push(Message(role="user", content=(*blocks, *_said(steers))))

    def push_not_run(self, calls: Sequence[ToolUseBlock], why: str, steers: Sequence[Queued] = ()) -> None:
        """Add one message that gives every call the same error result."""
        if calls:
            self.push_results(calls, [ToolResult(text=why, is_error=True) for _ in calls], steers)

    # -- the end

    def repair(self) -> None:
        """Give calls whose round was broken off a result each, so that the session can be sent again."""
        last = self.session.messages[-1:]
        calls = tuple(tool_uses(last[0])) if last and last[0].role == "assistant" else ()
        self.push_not_run(calls, BROKEN_OFF)

    def result(self, end: End) -> RunResult:
        """Return what the caller gets."""
        now, before, waiting = self.session.usage, self._usage_before, self.control.pending()
        spent = {name: getattr(now, name) - getattr(before, name) for name in TokenUsage.__struct_fields__}
        return RunResult(
            outcome=end.outcome,
            steps=self._used.steps,
            stop_reason=self.stop_reason,
            text=self._text,
            usage=TokenUsage(**spent),
            fault=end.fault,
            limit=end.limit,
            undelivered=Undelivered(steers=waiting.steers, follow_ups=waiting.follow_ups),
            cause=end.cause,
        )


def _limit(hit: LimitHit) -> End:
    return End(outcome="limit", fault=RunFault(code="limit", message=message_of(hit)), limit=hit)


def _said(messages: Sequence[Queued]) -> list[ContentBlock]:
    blocks: list[ContentBlock] = []
    for message in messages:
        if message.text.strip():
            blocks.append(TextBlock(text=message.text))
        blocks += [ImageBlock(source=image) for image in message.images]
    return blocks
