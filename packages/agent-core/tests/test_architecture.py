"""The map is right: its table of steps is what the loop does, and every module has its row."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import beyond_agent_core
from beyond_agent_core import effects as ask
from beyond_agent_core.compaction_plan import CompactionSettings
from beyond_agent_core.control import Control, Queued
from beyond_agent_core.errors import RunFault
from beyond_agent_core.loop import loop
from beyond_agent_core.run import Run, Settings
from beyond_agent_core.session import Session
from beyond_agent_core.testing import calls, refuses, says
from beyond_wire.types import TextBlock, assistant, user

MAP: Final = (Path(__file__).parents[1] / "ARCHITECTURE.md").read_text()
DOWN: Final = RunFault(code="http_status", message="503", transient=True)
FINAL: Final = RunFault(code="quota", message="no money")
OVERFLOW: Final = RunFault(code="context_overflow", message="too long")
RESULT: Final = ask.ToolResult(text="x")
ENDING: Final = ask.ToolResult(text="x", terminate=True)
CUT_SHORT: Final = ask.Interrupted("cancelled")
SAVED: Final[dict[str, ask.Answer]] = {"saved": ask.Saved(), "not saved": ask.CheckpointFailed("disk full")}
ANSWERS: Final[dict[str, dict[str, ask.Answer]]] = {
    "Checkpoint(prompt)": {**SAVED, "saved, and a stop is asked for": ask.Saved()},
    "CallModel(turn)": {
        "text": says("x"),
        "text, and a message waits": says("x"),
        "calls": calls(("t", {})),
        "calls, cut at the token limit": calls(("t", {}), stop="max_tokens"),
        "refusal": refuses(),
        "failed, transient": ask.CallFailed(DOWN),
        "failed, too long": ask.CallFailed(OVERFLOW),
        "failed, final": ask.CallFailed(FINAL),
        "interrupted": CUT_SHORT,
    },
    "CallModel(summary)": {
        "text": says("x"),
        "refusal": refuses(),
        "failed, transient": ask.CallFailed(DOWN),
        "failed, final": ask.CallFailed(FINAL),
        "interrupted": CUT_SHORT,
    },
    "Sleep": {"elapsed": ask.Elapsed(), "given up": ask.GivenUp(), "interrupted": CUT_SHORT},
    "Checkpoint(assistant)": SAVED,
    "RunTools": {
        "results": ask.ToolsDone(results=(RESULT,)),
        "results, all of which ask for the end": ask.ToolsDone(results=(ENDING,)),
        "results, interrupted": ask.ToolsDone(results=(RESULT,), interrupted="cancelled"),
    },
    "Checkpoint(results)": SAVED,
    "AfterTurn": {"go on": ask.GoOn(), "stop": ask.Stop()},
    "Checkpoint(compaction)": SAVED,
    "Checkpoint(end)": SAVED,
}
"""Every kind of answer that there is to an effect, by its name in the map."""


def named(effect: ask.Effect) -> str:
    match effect:
        case ask.Checkpoint(at=inner) | ask.CallModel(purpose=inner):
            return f"{type(effect).__name__}({inner})"
        case _:
            return type(effect).__name__


def followed(answers: tuple[str, ...]) -> str:
    """Return what the loop asks for behind these answers, given in turn; `over` where it has ended."""
    session, control = Session(), Control()
    for _ in range(4):
        session.push(user("x" * 3_000))
        session.push(assistant((TextBlock(text="y" * 3_000),)))
    given = Settings(model="m", compaction=CompactionSettings(window=8_000))
    steps = loop(Run(session, given, control, clock=lambda: 0.0, chance=lambda: 0.0), Queued("go"))
    waiting = iter(answers)
    effect = next(steps)
    try:
        while True:
            if isinstance(effect, ask.Emit):
                effect = steps.send(None)
                continue
            answer = next(waiting, None)
            if answer is None:
                return named(effect)
            if answer.endswith("a message waits"):
                control.follow_up("more")
            if answer.endswith("a stop is asked for"):
                control.request_stop()
            effect = steps.send(ANSWERS[named(effect)][answer])
    except StopIteration:
        return "over"
    finally:
        steps.close()


def walked() -> list[tuple[str, str, str]]:
    """Return what follows each answer to each effect, by the shortest way there."""
    rows: dict[tuple[str, str], str] = {}
    ways: list[tuple[str, ...]] = [()]
    for way in ways:
        at = followed(way)
        for answer in ANSWERS.get(at, {}):
            if (at, answer) not in rows:
                rows[at, answer] = followed((*way, answer))
                ways.append((*way, answer))
    return [(at, answer, rows[at, answer]) for at, answers in ANSWERS.items() for answer in answers]


def test_the_table_of_steps_is_what_the_loop_does() -> None:
    """Every effect, every kind of answer, and what the loop asks for next."""
    rows = walked()
    assert {at.partition("(")[0] for at, _, _ in rows} | {"Emit"} == {kind.__name__ for kind in ask.ANSWERS}
    lines = [f"| `{at}` | {answer} | {then if then == 'over' else f'`{then}`'} |" for at, answer, then in rows]
    table = "\n".join(["| it asks for | is answered | and asks for |", "|---|---|---|", *lines])
    assert table in MAP, f"the map's table should be:\n{table}"


def test_every_module_has_its_row() -> None:
    """A row names modules in its first cell; a star stands for the rest of a name."""
    cells = re.findall(r"^\| (`[^|]*`) \|", MAP, re.MULTILINE)
    patterns = [name for cell in cells for name in re.findall(r"`([a-z0-9_*]+)`", cell)]
    root = Path(beyond_agent_core.__file__).parent
    modules = {path.stem for path in root.glob("*.py")} - {"__init__"}
    fitting = {pattern: {name for name in modules if Path(name).match(pattern)} for pattern in patterns}
    assert set().union(*fitting.values()) == modules
    assert all(fitting.values()), "a row without a module"
