"""Makes a history smaller, as a part of the loop: it asks for model calls by the same effects, and is driven alike.

The session changes in one step and only where all went well: a summary that failed, was refused, came empty or was cut
short by an interrupt leaves it as it was. A compaction that does not help would be tried before every turn, for money;
so three failures in a row, or one that does not shrink, stop it for this session and model (the breaker), until one by
hand succeeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from beyond_agent_core import compaction_plan as plan
from beyond_agent_core import compaction_text as text
from beyond_agent_core.errors import CompactionCode, RunFault
from beyond_agent_core.estimate import prompt_tokens, tokens_of
from beyond_agent_core.events import Compacted, CompactionFailed, CompactionReason, CompactionStart
from beyond_agent_core.run import End
from beyond_agent_core.run_attempts import summary_attempts
from beyond_agent_core.run_steps import checkpoint, emit
from beyond_agent_core.session import Provenance
from beyond_wire.types import Message, ModelRequest, TextBlock, TokenUsage, user

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_agent_core.run import Run
    from beyond_agent_core.run_steps import Steps

FAILURES: Final = 3
"""Failures in a row that open the breaker (agent-core contract, compaction)."""


class Unchanged(msgspec.Struct, frozen=True):
    """There was nothing to fold; no event told of it."""

    why: str


class _Smaller(msgspec.Struct, kw_only=True):
    """A history that may take the place of the session's, and what it has cost."""

    messages: tuple[Message, ...]
    provenance: Provenance
    first_kept: int = 0
    usage: TokenUsage | None = None


class _Fault(msgspec.Struct):
    """Why there is no summary."""

    code: CompactionCode
    message: str


def due(run: Run) -> bool:
    """Whether the history is to be made smaller before the next turn.

    A prompt as large as the window is compacted also where compaction is not enabled, but not behind an open breaker.
    """
    if breaker_open(run):
        return False
    tokens, sizes = prompt_tokens(run.session), run.sizes
    if tokens >= sizes.window:
        return True
    return run.settings.compaction.enabled and run.session.last_input_tokens > 0 and tokens > sizes.trigger


def breaker_open(run: Run) -> bool:
    """Whether compaction is not tried by itself with this model."""
    return run.session.compaction.broken_for == run.settings.model


def compact(
    run: Run, reason: CompactionReason, instructions: str = ""
) -> Steps[Compacted | CompactionFailed | Unchanged | End]:
    """Make the history smaller; return what came of it, or the end of the run that came between.

    `instructions` are for this summary, beside those of the settings.
    """
    session, messages = run.session, run.session.messages
    # Some gateways count nothing or little; what we can see is there in any case.
    before = max(prompt_tokens(session), tokens_of(messages))
    smaller = _with_cleared_results(run, messages, before, reason)
    base = int(bool(session.compaction.summary) and bool(messages) and plan.is_summary(messages[0]))
    cut = None if smaller else _cut(run, messages, base, reason)
    if smaller is None and cut is None:
        return Unchanged("already_compacted" if base else "too_small")
    run.open_compaction = reason
    yield from emit(CompactionStart(reason=reason))
    made = smaller or (yield from _folded(run, messages, base, cut or 0, instructions))
    if isinstance(made, End):
        cause = made.fault or RunFault(code="cancelled", message="a stop was asked for")
        yield from _failed(run, reason, _Fault(cause.code, cause.message))
        return made
    if isinstance(made, _Fault):
        return (yield from _failed(run, reason, _counted(run, made)))
    after = _after(before, messages, made.messages)
    if after >= plan.SHRUNK * before:
        unhelpful = _Fault("not_smaller", f"about {after} tokens of {before} would be left")
        return (yield from _failed(run, reason, _counted(run, unhelpful, most=1)))
    session.compact(made.messages, made.provenance, made.usage)
    record = Compacted(
        reason=reason,
        mode="clear" if smaller else "summary",
        messages_before=len(messages),
        messages_after=len(made.messages),
        tokens_before=before,
        tokens_after=after,
        summary="" if smaller else made.provenance.summary,
        first_kept=made.first_kept,
    )
    run.open_compaction = None
    yield from emit(record)
    return (yield from checkpoint("compaction")) or record


def compact_by_hand(run: Run, instructions: str = "") -> Steps[Compacted | CompactionFailed | Unchanged | End]:
    """Make the history of a session without a run smaller, whether that is due or not; success closes the breaker."""
    run.control.begin()
    try:
        return (yield from compact(run, "manual", instructions))
    except Exception as error:  # noqa: BLE001 - a fault of the driver ends the compaction in order, and is told
        fault = RunFault(code="internal", message=f"{type(error).__name__}: {error}")
        if run.open_compaction is not None:
            yield from _failed(run, "manual", _Fault(fault.code, fault.message))
        return End(outcome="error", fault=fault, cause=error)
    finally:
        run.control.finish()


def _failed(run: Run, reason: CompactionReason, fault: _Fault) -> Steps[CompactionFailed]:
    failed = CompactionFailed(reason=reason, message=fault.message, error_code=fault.code)
    run.open_compaction = None
    yield from emit(failed)
    return failed


def _counted(run: Run, fault: _Fault, most: int = FAILURES) -> _Fault:
    """Count a failure; the `most`-th opens the breaker, which is told once, in the place of the fault's code."""
    known = run.session.compaction
    opens = known.failures + 1 >= most and not breaker_open(run)
    broken = run.settings.model if opens else known.broken_for
    run.session.note_compaction(replace(known, failures=known.failures + 1, broken_for=broken))
    return _Fault("breaker_open", f"no further automatic compaction: {fault.message}") if opens else fault


def _after(before: int, old: Sequence[Message], new: Sequence[Message]) -> int:
    """Return the estimate behind a compaction: what is no message, tools and system text, stays in it."""
    return before - tokens_of(old) + tokens_of(new)


# -- without a model


def _with_cleared_results(
    run: Run, messages: tuple[Message, ...], before: int, reason: CompactionReason
) -> _Smaller | None:
    """Return the history with old results cut, where that is enough by itself."""
    sizes = run.sizes
    cleared = plan.cleared(messages, sizes.keep_recent)
    if plan.recent_tokens(messages, sizes.keep_recent) > (sizes.trigger if reason == "overflow" else sizes.window):
        # What is kept in any case does not fit by itself, so no summary of the rest would help.
        cleared = plan.cleared_all(messages)
    # An overflow says that the prompt is larger than we think: at least the window.
    after = _after(max(before, sizes.window) if reason == "overflow" else before, messages, cleared)
    if after > plan.CLEARED_ENOUGH * sizes.trigger or _after(before, messages, cleared) >= plan.SHRUNK * before:
        return None
    return _Smaller(messages=cleared, provenance=_mended(run))


def _mended(run: Run) -> Provenance:
    return replace(run.session.compaction, failures=0, broken_for="")


# -- by a summary


def _cut(run: Run, messages: Sequence[Message], base: int, reason: CompactionReason) -> int | None:
    recent = plan.recent_from(messages, run.sizes.keep_recent)
    if recent <= base and reason == "overflow":
        # We guess that little is there, and the provider says that it is too much: half of it has to go.
        recent = max(base + 1, plan.recent_from(messages, tokens_of(messages) // 2))
    return plan.cut_at(messages, recent, base)


def _folded(
    run: Run, messages: tuple[Message, ...], base: int, cut: int, instructions: str
) -> Steps[_Smaller | _Fault | End]:
    """Return the history with everything before `cut` as a summary; `base` is behind an earlier one."""
    known, sizes, settings = run.session.compaction, run.sizes, run.settings.compaction
    earlier = text.stripped(known.summary) if base else ""
    extra = "\n".join(part for part in (settings.custom_instructions, instructions) if part)
    start = plan.turn_start(messages, cut)
    # The middle of a turn needs a summary of its own only where something stands before that turn.
    split = start if base < start < cut else cut
    usages: list[TokenUsage] = []
    prompt = text.history_prompt(messages[base:split], earlier, extra, sizes.trigger)
    history = yield from _summary(run, prompt, sizes.summary_max, usages)
    if not isinstance(history, str):
        return history
    prefix: str | _Fault | End = ""
    if split < cut:
        prompt = text.prefix_prompt(messages[split:cut], sizes.trigger)
        prefix = yield from _summary(run, prompt, sizes.prefix_max, usages)
        if not isinstance(prefix, str):
            return prefix
    summary = text.joined(history, prefix)
    read, written = text.with_files(known, messages[base:cut], run.targets)
    first = user(text.summary_text(summary, read, written))
    provenance = Provenance(summary=summary, first_kept=cut, read_files=tuple(read), modified_files=tuple(written))
    return _Smaller(messages=(first, *messages[cut:]), provenance=provenance, first_kept=cut, usage=_sum(usages))


def _summary(run: Run, prompt: str, most: int, usages: list[TokenUsage]) -> Steps[str | _Fault | End]:
    request = ModelRequest(
        model=run.settings.model, system=text.SYSTEM, messages=(user(prompt),), max_tokens=most, no_cache=True
    )
    answer = yield from summary_attempts(run, request)
    if isinstance(answer, End):
        return answer
    if isinstance(answer, RunFault):
        return _Fault(answer.code, answer.message)
    usages.append(answer.usage)
    said = text.stripped("".join(block.text for block in answer.message.content if isinstance(block, TextBlock)))
    if answer.stop_reason == "refusal":
        return _Fault("summary_refused", "the model refused to summarise")
    return said or _Fault("summary_empty", "the model gave no summary")


def _sum(usages: Sequence[TokenUsage]) -> TokenUsage:
    names = TokenUsage.__struct_fields__
    return TokenUsage(**{name: sum(getattr(usage, name) for usage in usages) for name in names})
