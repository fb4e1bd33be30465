"""Compaction as a part of the loop: when it comes, what it asks, what it leaves, and how often it may fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from beyond_agent_core import effects as ask
from beyond_agent_core.compaction import Unchanged, compact_by_hand
from beyond_agent_core.compaction_plan import HEADER, CompactionSettings
from beyond_agent_core.control import Control
from beyond_agent_core.errors import RunFault
from beyond_agent_core.events import Compacted, CompactionFailed
from beyond_agent_core.limits import Limits
from beyond_agent_core.run import Run, Settings
from beyond_agent_core.session import Session
from beyond_agent_core.testing import Playbook, assert_fit, calls, says
from beyond_wire.types import Message, TextBlock, TokenUsage, ToolResultBlock, ToolUseBlock, Turn

if TYPE_CHECKING:
    from beyond_agent_core.events import AgentEvent

SMALL = Settings(model="m", compaction=CompactionSettings(window=32_000))
"""A window of 32,000 tokens: 8,000 in reserve, so that 24,000 are the trigger and 12,000 are kept."""
OVERFLOW = RunFault(code="context_overflow", message="prompt is too long")


def turn_of(text: str, tokens: int) -> Turn:
    """An answer to a prompt of so many tokens."""
    return replace(says(text), usage=TokenUsage(input_tokens=tokens, output_tokens=10))


def long_session(pairs: int = 4, characters: int = 12_000, tokens: int = 25_000) -> Session:
    """Prompts and answers of 3,000 tokens each, the last of which had a prompt of `tokens`."""
    session = Session()
    for at in range(pairs):
        session.user(f"question {at} " + "q" * characters)
        message = says(f"answer {at} " + "a" * characters).message
        session.commit(message, TokenUsage(input_tokens=tokens, output_tokens=10))
    return session


def text_of(message: Message) -> str:
    return "".join(block.text for block in message.content if isinstance(block, TextBlock))


def asked(play: Playbook) -> str:
    """What the summary call that is waited for puts before the model."""
    play.expect(ask.CallModel, purpose="summary")
    effect = play.effect
    assert isinstance(effect, ask.CallModel)
    assert effect.request.tools == ()
    assert effect.request.system
    return text_of(effect.request.messages[0])


def test_a_history_above_the_trigger_is_folded_before_the_turn() -> None:
    """The summary takes the place of what is old; the turn is asked over it; files and counts are told."""
    session = long_session()
    with Playbook("go on", settings=SMALL, session=session) as play:
        assert "question 0" in asked(play)
        play.reply(says("## Goal\nmend it")).expect(ask.Checkpoint, at="compaction").reply(ask.Saved())
        play.expect(ask.CallModel, purpose="turn", step=5)
        first, *kept = session.messages
        assert text_of(first) == f"{HEADER}\n\n## Goal\nmend it"
        assert kept[0].role == "assistant"
        assert text_of(kept[-1]) == "go on"
        play.reply(says("done")).ends("done")
    assert play.kinds()[:3] == ["agent_start", "compaction_start", "compacted"]
    record = play.events[2]
    assert isinstance(record, Compacted)
    assert (record.mode, record.reason, record.messages_before) == ("summary", "threshold", 9)
    assert record.messages_after == len(kept) + 1
    assert record.tokens_after < 24_000 < record.tokens_before
    assert session.compaction.first_kept == record.first_kept == 9 - len(kept)


def test_it_is_not_due_below_the_trigger_nor_right_after_one() -> None:
    """At 24,000 tokens nothing happens; a session just compacted goes on until usage says otherwise."""
    with Playbook("x", settings=SMALL, session=long_session(2, 10, 23_900)) as play:
        play.expect(ask.CallModel, purpose="turn").reply(says("done")).ends("done")
    with Playbook("x", settings=SMALL, session=long_session()) as play:
        asked(play)
        play.reply(says("short")).expect(ask.CallModel, purpose="turn").reply(
            replace(calls(("read", {})), usage=TokenUsage(input_tokens=14_000))
        )
        play.expect(ask.RunTools).reply(ask.ToolsDone(results=(ask.ToolResult(text="x"),)))
        play.expect(ask.CallModel, purpose="turn").reply(says("done")).ends("done")
    off = replace(SMALL, compaction=CompactionSettings(window=32_000, enabled=False))
    with Playbook("x", settings=off, session=long_session()) as play:
        play.expect(ask.CallModel, purpose="turn").reply(says("done")).ends("done")
    with Playbook("x", settings=off, session=long_session(tokens=40_000)) as play:
        asked(play)
        play.reply(says("short")).expect(ask.CallModel, purpose="turn").reply(says("done")).ends("done")


def test_large_old_results_are_cut_without_a_model_call() -> None:
    """They keep their beginning; recent ones, and texts, are whole."""
    session = Session()
    for at in range(3):
        session.user("look")
        session.push(calls((f"read{at}", {})).message)
        result = ToolResultBlock(tool_use_id="call_0", content=f"file {at} " + "x" * 30_000)
        session.push(Message(role="user", content=(result,)))
    session.commit(says("seen").message, TokenUsage(input_tokens=25_000))
    with Playbook("go on", settings=SMALL, session=session) as play:
        play.expect(ask.CallModel, purpose="turn").reply(says("done")).ends("done")
    record = play.events[2]
    assert isinstance(record, Compacted)
    assert (record.mode, record.summary, record.messages_before) == ("clear", "", record.messages_after)
    results = [block.content for message in session.messages for block in message.content
               if isinstance(block, ToolResultBlock)]  # fmt: skip
    assert [len(text) < 300 for text in results] == [True, False, False]
    assert results[0].startswith("file 0 xxx")
    assert "characters cleared" in results[0]


def test_newest_results_that_fill_the_window_by_themselves_are_cut_too() -> None:
    """Above the window at once, above the trigger when the provider refuses them; else they are left whole."""
    for characters, refused in ((200_000, False), (100_000, True)):
        session = Session()
        session.user("look")
        session.push(calls(("read", {})).message)
        result = ToolResultBlock(tool_use_id="call_0", content="file " + "x" * characters)
        session.push(Message(role="user", content=(result,)))
        with Playbook(None, settings=SMALL, session=session) as play:
            if refused:
                play.expect(ask.CallModel, purpose="turn").reply(ask.CallFailed(OVERFLOW))
            play.expect(ask.CallModel, purpose="turn").reply(says("done")).ends("done")
        record = next(event for event in play.events if isinstance(event, Compacted))
        assert (record.mode, record.messages_after) == ("clear", 3)
        kept = session.messages[2].content[0]
        assert isinstance(kept, ToolResultBlock)
        assert kept.content.endswith(f"[{characters + 5 - 200} characters cleared to save context]")
        assert_fit(session)


def test_an_earlier_summary_is_updated_and_files_are_never_the_models() -> None:
    """The update is asked over the earlier text without its lists; lists of both times are merged by the core."""

    def targets(call: ToolUseBlock) -> tuple[str | None, str | None]:
        path = str(call.input["path"])
        return (path, None) if call.name == "read" else (None, path)

    session = Session()

    def work(*named: tuple[str, str]) -> None:
        for at in range(8):
            session.user(f"question {at} " + "q" * 12_000)
            made = calls(*((name, {"path": path}) for name, path in named)) if not at else says("a" * 12_000)
            session.commit(made.message, TokenUsage(input_tokens=25_000))
            if not at:
                blocks = [ToolResultBlock(tool_use_id=f"call_{n}", content="ok") for n in range(len(named))]
                session.push(Message(role="user", content=tuple(blocks)))

    work(("read", "b.py"), ("write", "c.py"), ("read", "c.py"))
    with Playbook("go on", settings=SMALL, session=session, targets=targets) as play:
        asked(play)
        play.reply(says("first\n<read-files>\ninvented.py\n</read-files>")).expect(ask.CallModel, purpose="turn")
        play.reply(turn_of("done", 25_000)).ends("done")
    files = "<read-files>\nb.py\n</read-files>\n\n<modified-files>\nc.py\n</modified-files>"
    assert text_of(session.messages[0]) == f"{HEADER}\n\nfirst\n\n{files}"
    work(("read", "a.py"), ("write", "b.py"))
    with Playbook("go on", settings=SMALL, session=session, targets=targets) as play:
        prompt = asked(play)
        assert "<earlier-summary>\nfirst\n</earlier-summary>" in prompt
        assert HEADER not in prompt
        play.reply(says("second")).expect(ask.CallModel, purpose="turn").reply(says("done")).ends("done")
    files = "<read-files>\na.py\n</read-files>\n\n<modified-files>\nb.py\nc.py\n</modified-files>"
    assert text_of(session.messages[0]) == f"{HEADER}\n\nsecond\n\n{files}"


def test_a_cut_inside_a_turn_asks_for_two_summaries() -> None:
    """One for the history, a shorter one for the beginning of the turn; both stand in one message."""
    session = long_session(2)
    session.user("the long task")
    for at in range(8):
        session.commit(calls(("read", {"n": at})).message, TokenUsage(input_tokens=30_000))
        result = ToolResultBlock(tool_use_id="call_0", content="x" * 1_900)
        session.push(Message(role="user", content=(result, TextBlock(text="y" * 10_000))))
    with Playbook(None, settings=SMALL, session=session) as play:
        prompt = asked(play)
        assert "question 1" in prompt
        assert "the long task" not in prompt
        play.reply(says("history"))
        prompt = asked(play)
        assert "the long task" in prompt
        assert "question 1" not in prompt
        effect = play.effect
        assert isinstance(effect, ask.CallModel)
        assert effect.request.max_tokens == 4_000
        play.reply(says("beginning")).expect(ask.CallModel, purpose="turn").reply(says("done")).ends("done")
    assert text_of(session.messages[0]).endswith("history\n\n---\n\n## Turn Context (split turn)\n\nbeginning")
    assert session.usage.output_tokens >= 15


# -- overflow


def test_an_overflow_compacts_once_and_asks_again() -> None:
    """The same turn, told as a retry; the overflow after it is final, and the session can be sent."""
    session = long_session(tokens=20_000)
    with Playbook("go on", settings=SMALL, session=session) as play:
        play.expect(ask.CallModel, step=5).reply(ask.CallFailed(OVERFLOW))
        asked(play)
        play.reply(says("short")).expect(ask.CallModel, step=5, purpose="turn").reply(ask.CallFailed(OVERFLOW))
        play.ends("error")
        assert play.end
        assert play.end.fault == OVERFLOW
    assert play.kinds() == [
        "agent_start",
        "turn_start",
        "compaction_start",
        "compacted",
        "turn_retry",
        "turn_end",
        "error",
        "agent_end",
    ]


def test_an_overflow_of_a_history_that_cannot_shrink_is_final() -> None:
    """Two messages: nothing to fold, no event of it, the session as it was."""
    with Playbook("go on", settings=SMALL) as play:
        before = play.expect(ask.CallModel).session.encode()
        play.reply(ask.CallFailed(OVERFLOW)).ends("error")
        assert play.session.encode() == before
    assert "compaction_start" not in play.kinds()


# -- failures


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (says(""), "summary_empty"),
        (says("no", "refusal"), "summary_refused"),
        (ask.CallFailed(RunFault(code="provider_error", message="boom")), "provider_error"),
    ],
)
def test_a_summary_that_fails_changes_nothing_and_the_turn_goes_on(answer: ask.Answer, code: str) -> None:
    """The failure is told, is not the end, and is counted."""
    session = long_session()
    with Playbook("go on", settings=SMALL, session=session) as play:
        asked(play)
        before = session.messages, session.usage
        play.reply(answer).expect(ask.CallModel, purpose="turn")
        assert (session.messages, session.usage) == before
        play.reply(says("done")).ends("done")
    failed = play.events[2]
    assert isinstance(failed, CompactionFailed)
    assert failed.error_code == code
    assert session.compaction.failures == 1


def codes(events: list[AgentEvent]) -> list[str]:
    return [event.error_code for event in events if isinstance(event, CompactionFailed)]


def test_three_failures_open_the_breaker_until_one_by_hand_succeeds() -> None:
    """Four turns cost three summary calls; the third failure says so; an overflow is then final."""
    session = long_session()
    seen: list[str] = []
    for turn in range(4):
        with Playbook("go on", settings=SMALL, session=session) as play:
            if turn < 3:
                asked(play)
                play.reply(says(""))
            play.expect(ask.CallModel, purpose="turn").reply(turn_of("done", 25_000)).ends("done")
        seen += codes(play.events)
    assert seen == ["summary_empty", "summary_empty", "breaker_open"]
    with Playbook("go on", settings=SMALL, session=session) as play:
        before = play.expect(ask.CallModel, purpose="turn").session.encode()
        play.reply(ask.CallFailed(OVERFLOW)).ends("error")
        assert session.encode() == before
    by_hand(session, says("short"))
    assert (session.compaction.failures, session.compaction.broken_for) == (0, "")


def by_hand(session: Session, answer: ask.Answer, instructions: str = "") -> tuple[object, list[str], str]:
    """Compact a session by hand; return what came of it, the kinds of its events, and what was asked."""
    run = Run(session, SMALL, Control(), clock=lambda: 0.0, chance=lambda: 0.0)
    steps = compact_by_hand(run, instructions)
    kinds: list[str] = []
    question = ""
    given: ask.Answer = None
    while True:
        try:
            effect = steps.send(given)
        except StopIteration as stop:
            assert_fit(session)
            return stop.value, kinds, question
        given = None
        match effect:
            case ask.Emit(event):
                kinds.append(str(type(event).__struct_config__.tag))
            case ask.CallModel(request=request):
                question = text_of(request.messages[0])
                given = answer
            case _:
                given = ask.Saved()


def test_by_hand_it_needs_no_reason_but_something_to_fold() -> None:
    """With its own instructions; twice in a row there is nothing left, and nothing is told of that."""
    session = long_session(tokens=20_000)
    made, kinds, question = by_hand(session, says("short"), "mind the colours")
    assert isinstance(made, Compacted)
    assert made.reason == "manual"
    assert kinds == ["compaction_start", "compacted"]
    assert "Also: mind the colours" in question
    assert by_hand(session, says("short"))[:2] == (Unchanged("already_compacted"), [])
    session = long_session(1)
    assert by_hand(session, says("short"))[:2] == (Unchanged("too_small"), [])


def test_a_summary_that_does_not_shrink_opens_the_breaker_at_once() -> None:
    """One call, no more in this session; another model is tried again."""
    session = long_session()
    control = Control()
    with Playbook("go on", settings=SMALL, session=session, control=control) as play:
        asked(play)
        play.reply(says("s" * 200_000)).expect(ask.CallModel, purpose="turn").reply(turn_of("x", 25_000)).ends("done")
    assert codes(play.events) == ["breaker_open"]
    with Playbook("go on", settings=SMALL, session=session, control=control) as play:
        play.expect(ask.CallModel, purpose="turn")
        control.switch_model("other")
        control.follow_up("more")
        play.reply(turn_of("x", 25_000))
        asked(play)
        assert (session.compaction.failures, session.compaction.broken_for) == (0, "")
        play.reply(says("short")).expect(ask.CallModel, purpose="turn").reply(says("done")).ends("done")


def test_a_summary_is_tried_again_like_a_turn_and_told_to_nobody() -> None:
    """One transient failure, one wait; no turn_retry outside a turn, and no step."""
    fault = RunFault(code="http_status", message="503", transient=True)
    with Playbook("go on", settings=SMALL, session=long_session()) as play:
        asked(play)
        play.reply(ask.CallFailed(fault)).expect(ask.Sleep, seconds=0.25).reply(ask.Elapsed())
        asked(play)
        play.reply(says("short")).expect(ask.CallModel, step=5).reply(says("done")).ends("done")
    assert "turn_retry" not in play.kinds()
    assert play.run.used.steps == 1


def test_a_summary_counts_for_budgets() -> None:
    """The tokens that it took end the run before the turn."""
    limited = replace(SMALL, limits=Limits(max_tokens_total=15))
    with Playbook("go on", settings=limited, session=long_session()) as play:
        asked(play)
        play.reply(says("short")).ends("limit")


@pytest.mark.parametrize("why", ["cancelled", "limit"])
def test_an_interrupted_summary_changes_nothing_and_ends_the_run(why: ask.Why) -> None:
    """It is no failure of compaction."""
    session = long_session()
    with Playbook("go on", settings=SMALL, session=session) as play:
        asked(play)
        before = session.encode()
        play.reply(ask.Interrupted(why)).ends(why)
        assert session.encode() == before
    assert codes(play.events) == [why]


def test_a_compaction_that_is_not_saved_ends_the_run() -> None:
    """As any checkpoint that fails."""
    with Playbook("go on", settings=SMALL, session=long_session()) as play:
        asked(play)
        play.reply(says("short")).expect(ask.Checkpoint, at="compaction")
        play.reply(ask.CheckpointFailed("disk full")).ends("error")
        assert play.end
        assert play.end.fault == RunFault(code="checkpoint_failed", message="disk full")
