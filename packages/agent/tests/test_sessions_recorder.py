"""Runs of a real agent, recorded: what each checkpoint writes, and what compactions leave on disk."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_sessions import CWD, MODEL, answer, call, kinds, lines, results, say, store_in, texts
from msgspec.structs import replace

from beyond_agent.sessions.entries import LeafEntry
from beyond_agent.sessions.errors import SessionIO
from beyond_agent_core import Agent, tool
from beyond_agent_core.compaction_plan import HEADER, CompactionSettings, cleared
from beyond_agent_core.compaction_text import summary_text
from beyond_agent_core.session import Provenance
from beyond_agent_core.testing import ScriptedTransport, assert_fit, turn
from beyond_wire.types import TokenUsage, user

if TYPE_CHECKING:
    import pytest

    from beyond_agent.sessions.stored import StoredSession
    from beyond_agent_core import AgentEvent, RunResult

SMALL = CompactionSettings(window=32_000)
LONG = "q" * 12_000


@tool
def look(path: str) -> str:
    """Look at a file."""
    return f"content of {path}"


def run(stored: StoredSession, prompt: str, *script: Any, **more: Any) -> RunResult:
    agent = Agent(
        ScriptedTransport(script), model=MODEL, tools=[look], checkpoint=stored.checkpoint, retry=False, **more
    )
    result = asyncio.run(agent.run(stored.session, prompt, on_event=stored.watch))
    asyncio.run(stored.end_run(result.outcome))
    return result


def reopened(stored: StoredSession, folder: Path) -> StoredSession:
    before, ids = stored.session, stored.ids
    stored.close()
    again = store_in(folder).open(stored.id)
    assert again.session == before
    assert again.ids == ids
    assert again.skipped.count == 0
    return again


def filled(folder: Path, tokens: int = 25_000) -> StoredSession:
    """Return a session whose next run compacts: four questions and answers of 3,000 tokens each."""
    stored = store_in(folder).create(CWD, MODEL, "t")
    for at in range(4):
        say(stored, f"question {at} {LONG}", answer(f"answer {at} {LONG}", tokens=tokens))
    asyncio.run(stored.end_run("done"))
    return stored


def test_a_run_is_recorded_as_it_happens(tmp_path: Path) -> None:
    """The prompt is in the file before the model is asked, and the calls before a tool runs."""
    stored = store_in(tmp_path).create(CWD, MODEL, "t")
    seen: list[list[str]] = []

    @tool
    def spy() -> str:
        """Look at the file of the session."""
        seen.append(kinds(stored))
        return "seen"

    def first(_: object) -> Any:
        seen.append(kinds(stored))
        return turn.tool_call("spy")

    agent = Agent(
        ScriptedTransport([turn.from_request(first), turn.text("done")]),
        model=MODEL,
        tools=[spy],
        checkpoint=stored.checkpoint,
    )
    asyncio.run(agent.run(stored.session, "go"))
    assert seen == [["session", "message"], ["session", "message", "message"]]
    assert [line.get("role") for line in lines(stored)[1:]] == ["user", "assistant", "user", "assistant"]
    asyncio.run(stored.end_run("done"))
    reopened(stored, tmp_path).close()


def test_an_interrupted_run_is_repaired_on_disk(tmp_path: Path) -> None:
    """What a failed turn left goes on with the next run; every outcome is stored."""
    stored = store_in(tmp_path).create(CWD, MODEL, "t")
    assert run(stored, "go", turn.tool_call("look", path="a"), turn.fail()).outcome == "error"
    assert lines(stored)[-1]["outcome"] == "error"
    stored = reopened(stored, tmp_path)
    assert_fit(stored.session)
    assert run(stored, "again", turn.refusal()).outcome == "refused"
    stored = reopened(stored, tmp_path)
    assert stored.last_outcome == "refused"
    stored.close()


def test_a_summary_never_rewrites_the_file(tmp_path: Path) -> None:
    """A compaction is one more line; the context is the summary and what it kept, and all before stays readable."""
    stored = filled(tmp_path)
    before = Path(stored.path or "").read_bytes()
    ids = list(stored.ids)
    run(stored, "go on", turn.text("## Goal\nmend it"), turn.text("done"), compaction=SMALL)
    assert Path(stored.path or "").read_bytes().startswith(before)
    (entry,) = [line for line in lines(stored) if line["type"] == "compaction"]
    assert list(entry) == [
        *("type", "id", "parent_id", "timestamp", "mode", "reason", "summary", "first_kept_id"),
        *("tokens_before", "tokens_after", "read_files", "modified_files"),
    ]
    assert (entry["mode"], entry["reason"], entry["summary"]) == ("summary", "threshold", "## Goal\nmend it")
    assert entry["first_kept_id"] in ids
    assert 0 < entry["tokens_after"] < entry["tokens_before"]
    assert texts(stored)[0] == f"{HEADER}\n\n## Goal\nmend it"
    stored = reopened(stored, tmp_path)
    assert stored.session.compaction.summary == "## Goal\nmend it"
    assert [each.preview[:10] for each in stored.tree()[0]][:2] == ["question 0", "answer 0 q"]
    stored.close()


def test_summaries_follow_one_another(tmp_path: Path) -> None:
    """A second compaction starts from the first one's summary, also in the next process."""
    stored = filled(tmp_path)
    for at in range(4):
        large = replace(turn.text(f"answer {LONG}"), usage=TokenUsage(input_tokens=25_000, output_tokens=3_000))
        run(stored, f"more {LONG}", turn.text(f"summary {at}"), large, compaction=SMALL)
        stored = reopened(stored, tmp_path)
        assert texts(stored)[0] == f"{HEADER}\n\nsummary {at}"
        assert_fit(stored.session)
    assert kinds(stored).count("compaction") == 4
    stored.close()


def test_cleared_results_are_cleared_again(tmp_path: Path) -> None:
    """Results that were cut are whole in the file, and cut again when it is read."""
    stored = store_in(tmp_path).create(CWD, MODEL, "t")
    for at in range(3):
        say(stored, "look", answer("", call(f"c{at}"), tokens=25_000), results(f"c{at}", "x" * 30_000))
    say(stored, answer("seen", tokens=25_000))
    run(stored, "go on", turn.text("done"), compaction=SMALL)
    (entry,) = [line for line in lines(stored) if line["type"] == "compaction"]
    assert entry["mode"] == "clear"
    assert entry["cleared_ids"] == [stored.ids[2]]
    assert "summary" not in entry
    assert "first_kept_id" not in entry
    assert "characters cleared" in texts(stored)[2]
    stored = reopened(stored, tmp_path)
    assert lines(stored)[3]["content"][0]["content"] == "x" * 30_000
    stored.close()


def test_clear_then_summary_in_one_session(tmp_path: Path) -> None:
    """A summary keeps results cut that an earlier compaction cut."""
    stored = store_in(tmp_path).create(CWD, MODEL, "t")
    for at in range(3):
        say(stored, "look", answer("", call(f"c{at}"), tokens=25_000), results(f"c{at}", "x" * 30_000))
    say(stored, answer("seen", tokens=25_000))
    run(stored, "go on", turn.text("done"), compaction=SMALL)
    run(stored, f"more {LONG}", replace(turn.text(LONG), usage=TokenUsage(input_tokens=30_000)), compaction=SMALL)
    run(stored, "again", turn.text("short"), turn.text("done"), compaction=SMALL)
    assert [line["mode"] for line in lines(stored) if line["type"] == "compaction"] == ["clear", "summary"]
    reopened(stored, tmp_path).close()


def test_a_branch_from_before_a_summary_has_the_whole_history(tmp_path: Path) -> None:
    """A compaction counts on its own path only."""
    stored = filled(tmp_path)
    ids = list(stored.ids)
    run(stored, "go on", turn.text("folded"), turn.text("done"), compaction=SMALL)
    tip = stored.leaf_id or ""
    stored.switch(ids[5])
    assert [text.partition(" q")[0] for text in texts(stored)[::2]] == ["question 0", "question 1", "question 2"]
    assert len(texts(stored)) == 6
    assert stored.session.compaction.summary == ""
    stored.switch(tip)
    assert texts(stored)[0] == f"{HEADER}\n\nfolded"
    stored.close()


def test_a_summary_whose_kept_entry_is_damaged_keeps_more(tmp_path: Path) -> None:
    """Where the line that a compaction kept first cannot be read, nothing that followed is lost."""
    stored = filled(tmp_path)
    run(stored, "go on", turn.text("folded"), turn.text("done"), compaction=SMALL)
    kept = next(line["first_kept_id"] for line in lines(stored) if line["type"] == "compaction")
    stored.close()
    path = Path(stored.path or "")
    path.write_bytes(
        b"".join(
            b"#\n" if f'"id":"{kept}"'.encode() in line else line
            for line in path.read_bytes().splitlines(keepends=True)
        )
    )
    again = store_in(tmp_path).open(stored.id)
    assert texts(again)[0] == f"{HEADER}\n\nfolded"
    assert texts(again)[-2:] == ["go on", "done"]
    again.close()


def test_what_a_failed_checkpoint_left_comes_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk ends the run, no tool runs, and nothing is missing once there is room."""
    stored = store_in(tmp_path).create(CWD, MODEL, "t")
    real, failing = stored.book.log.append, [False]

    def append(line: bytes) -> int:
        if failing[0]:
            raise SessionIO("cannot write", "/x", OSError(28, "No space left on device"))
        return real(line)

    monkeypatch.setattr(stored.book.log, "append", append)

    def fill(_: object) -> Any:
        failing[0] = True
        return turn.tool_call("look", path="a")

    events: list[AgentEvent] = []
    agent = Agent(ScriptedTransport([turn.from_request(fill)]), model=MODEL, tools=[look], checkpoint=stored.checkpoint)
    result = asyncio.run(agent.run(stored.session, "go", on_event=events.append))
    assert (result.outcome, result.fault and result.fault.code) == ("error", "checkpoint_failed")
    assert "No space left on device" in str(result.fault)
    failing[0] = False
    asyncio.run(stored.end_run("error"))
    stored = reopened(stored, tmp_path)
    assert len(texts(stored)) == 3
    stored.close()


def test_a_compaction_that_was_not_written_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two compactions between which the disk was full are one in the file, and the context is right."""
    stored = filled(tmp_path)
    real, failing = stored.book.log.append, [True]

    def append(line: bytes) -> int:
        if failing[0] and b'"type":"compaction"' in line:
            raise SessionIO("cannot write", "/x", OSError(28, "No space left on device"))
        return real(line)

    monkeypatch.setattr(stored.book.log, "append", append)
    agent = Agent(ScriptedTransport([turn.text("one")]), model=MODEL, checkpoint=stored.checkpoint, compaction=SMALL)
    asyncio.run(agent.compact(stored.session, on_event=stored.watch))
    assert texts(stored)[0] == f"{HEADER}\n\none"
    stored.session.user(f"more {LONG}")
    stored.session.commit(answer(LONG), TokenUsage(input_tokens=30_000))
    agent = Agent(ScriptedTransport([turn.text("two")]), model=MODEL, checkpoint=stored.checkpoint, compaction=SMALL)
    failing[0] = False
    asyncio.run(agent.compact(stored.session, on_event=stored.watch))
    assert texts(stored)[0] == f"{HEADER}\n\ntwo"
    stored.close()
    again = store_in(tmp_path).open(stored.id)
    assert (again.session.messages, again.ids) == (stored.session.messages, stored.ids)
    assert kinds(again).count("compaction") == 1
    again.close()


def test_a_summary_that_keeps_what_an_unwritten_compaction_cut(tmp_path: Path) -> None:
    """Results that were cut and then kept, all between two checkpoints, are cut in the next process too."""
    stored = store_in(tmp_path).create(CWD, MODEL, "t")
    say(stored, "one", answer("1"), "look", answer("", call("c1")), results("c1", "x" * 30_000), answer("seen"))
    cut = cleared(stored.session.messages, 1)
    summary = user(summary_text("so far", (), ()))
    stored.session.compact((summary, *cut[3:]), Provenance(summary="so far", first_kept=3))
    asyncio.run(stored.end_run("done"))
    assert "characters cleared" in texts(stored)[2]
    stored.close()
    again = store_in(tmp_path).open(stored.id)
    assert (again.session.messages, again.ids) == (stored.session.messages, stored.ids)
    again.close()


def test_a_tip_in_the_middle_of_a_round_is_mended(tmp_path: Path) -> None:
    """A file that says to go on from a call gets its results, so that the next request is in order."""
    stored = store_in(tmp_path).create(CWD, MODEL, "t")
    ids = say(stored, "one", answer("", call("c1")), results("c1"), answer("two"))
    stored.book.add(LeafEntry, target_id=ids[1])
    stored.close()
    again = store_in(tmp_path).open(stored.id)
    assert_fit(again.session)
    run(again, "go on", turn.text("done"))
    assert_fit(reopened(again, tmp_path).session)
