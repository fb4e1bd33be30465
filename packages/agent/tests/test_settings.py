from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from beyond_agent.errors import UsageError
from beyond_agent.flags import FLAGS, Flag
from beyond_agent.flags_kinds import SWITCHED
from beyond_agent.options import TOOL_NAMES, Options
from beyond_agent.settings import settle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LAYERED = [pytest.param(flag, id=flag.key) for flag in FLAGS]
RIGHT: dict[str, tuple[str, str, object]] = {
    "switch": ("1", "true", True),
    "TEXT": ("words", '"words"', "words"),
    **dict.fromkeys(("PATH_OR_ID", "JSON_OR_PATH"), ("a b", '"a b"', "a b")),
    "PATH": ("a b", '"a b"', "a b"),
    "N": ("7", "7", 7),
    "MS": ("7", "7", 7),
    "SECONDS": ("0.5", "0.5", 0.5),
    "AMOUNT": ("0.5", "0.5", 0.5),
    "X": ("0", "0", 0),
    "NAME": ("chat", '"chat"', "chat"),
    "LEVEL": ("high", '"high"', "high"),
    "A,B": ("read,ls", '"read,ls"', ("read", "ls")),
    "WHAT": ("tools:bash", '"tools:bash"', "tools:bash"),
}
"""A right value by what `--help` calls it: in a variable, in a file, and as it is stored."""
WRONG_TEXT = {
    "PATH_OR_ID": " ",
    "JSON_OR_PATH": " ",
    "switch": "maybe",
    "TEXT": " ",
    "PATH": "\t",
    "A,B": "raed",
    "WHAT": "none",
}
"""A wrong value in a variable; of all others `x` is."""
WRONG_IN_FILE = ("{}", "1979-05-27", "[[]]")
"""Values that no setting has."""


def settled(
    given: dict[str, Any] | None = None, environ: Mapping[str, str] | None = None, *files: Path, command: str = "run"
) -> Options:
    """Return the settings of a command with these layers."""
    return settle(command, given or {}, environ or {}, [str(file) for file in files])


def toml(folder: Path, text: str, name: str = "agent.toml") -> Path:
    """Write a settings file."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def right(flag: Flag) -> tuple[str, str, Any]:
    """Return a right value of a setting, as it stands in a variable, in a file, and is stored."""
    if flag.key == "prices":
        return "1,2", '"1,2"', flag.kind.text("1,2")
    text, in_file, stored = RIGHT[flag.kind.metavar]
    return (text, f"[{in_file}]", (stored,)) if flag.repeatable else (text, in_file, stored)


def both(flag: Flag) -> dict[str, str]:
    """Return the variables that a setting cannot do without."""
    return {"AI_AGENT_PRICES": "1,2"} if flag.key == "max_cost" else {}


@pytest.mark.parametrize("flag", LAYERED)
def test_every_setting_may_be_in_a_variable_or_a_file(flag: Flag, tmp_path: Path) -> None:
    """With the same meaning, and it counts as stated."""
    command = flag.only or "run"
    text, in_file, stored = right(flag)
    from_variable = settled({}, {flag.environment: text, **both(flag)}, command=command)
    from_file = settled({}, both(flag), toml(tmp_path, f"{flag.key} = {in_file}"), command=command)
    assert getattr(from_variable, flag.field) == getattr(from_file, flag.field) == stored
    assert flag.field in from_variable.stated & from_file.stated


@pytest.mark.parametrize("flag", LAYERED)
def test_every_setting_refuses_a_bad_variable(flag: Flag) -> None:
    """The text begins with the variable and says what would have been right."""
    if flag.key == "system_prompt":
        return
    with pytest.raises(UsageError) as raised:
        settled({}, {flag.environment: WRONG_TEXT.get(flag.kind.metavar, "x")}, command=flag.only or "run")
    assert str(raised.value).startswith(f"{flag.environment}: must be {flag.kind.expected}, not ")


@pytest.mark.parametrize("flag", LAYERED)
def test_every_setting_refuses_a_wrong_type_in_a_file(flag: Flag, tmp_path: Path) -> None:
    """The text begins with the file and the key; a key is never shown."""
    wrong = [*WRONG_IN_FILE, "true" if flag.kind is not SWITCHED else "1"]
    for value in wrong:
        file = toml(tmp_path, f"{flag.key} = {value}")
        with pytest.raises(UsageError) as raised:
            settled({}, {}, file, command=flag.only or "run")
        assert str(raised.value).startswith(f"{file}: {flag.key}: must be {flag.kind.expected}, not ")
    file = toml(tmp_path, 'key = ["bai_v1.secret"]')
    with pytest.raises(UsageError, match=r"not what was given$"):
        settled({}, {}, file)


def test_a_flag_drives_out_its_rivals_of_weaker_layers(tmp_path: Path) -> None:
    """A session that a variable names gives way to --continue, which excludes it on a command line."""
    file = toml(tmp_path, "thinking = 1")
    options = settled({"continue_": True, "reasoning_effort": "low"}, {"AI_AGENT_SESSION": "sess_1"}, file)
    assert (options.continue_, options.session) == (True, None)
    assert (options.reasoning_effort, options.thinking) == ("low", None)


def test_a_variable_drives_out_its_rivals_of_files(tmp_path: Path) -> None:
    """A file's budget for thinking gives way to a variable's effort; a switch that is off drives out nothing."""
    own = toml(tmp_path, "thinking = 8000\nfinal = true", "own.toml")
    project = toml(tmp_path, "no_tools = true\njson = false", "project.toml")
    options = settled({}, {"AI_AGENT_REASONING_EFFORT": "low", "AI_AGENT_TOOLS": "read"}, own, project)
    assert (options.reasoning_effort, options.thinking) == ("low", None)
    assert (options.tools, options.no_tools) == (("read",), False)
    assert (options.final, options.json) == (True, False)


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000 + "]" * 5000], ids=["digits", "nesting"])
def test_a_file_that_is_too_much_for_a_parser_is_one_line(tmp_path: Path, value: str) -> None:
    """A number of thousands of digits, or nesting as deep, is refused with the file's name."""
    file = toml(tmp_path, f"max_steps = {value}")
    with pytest.raises(UsageError) as raised:
        settled({}, {}, file)
    assert str(raised.value).startswith(f"{file}: is no TOML: ")


def test_a_file_that_would_block_is_refused(tmp_path: Path) -> None:
    """A FIFO is no settings file, and nobody waits for it."""
    os.mkfifo(tmp_path / "agent.toml")
    with pytest.raises(UsageError, match=r"agent.toml: cannot be read: not a regular file$"):
        settled({}, {}, tmp_path / "agent.toml")


def test_one_layer_that_excludes_itself_is_refused(tmp_path: Path) -> None:
    """Two sessions in the variables, or two outputs in a file, are named and not chosen from, unless a flag does."""
    two = {"AI_AGENT_CONTINUE": "1", "AI_AGENT_SESSION": "sess_1"}
    with pytest.raises(UsageError, match=r"^AI_AGENT_SESSION and AI_AGENT_CONTINUE exclude each other; keep one$"):
        settled({}, two)
    assert settled({"fork": "sess_2"}, two).session is None
    file = toml(tmp_path, "json = true\nfinal = true")
    with pytest.raises(UsageError) as raised:
        settled({}, {}, file)
    assert str(raised.value) == f"{file}: json and final exclude each other; keep one"


def test_the_layers_are_flag_variable_project_own_built_in(tmp_path: Path) -> None:
    """Each stands above the next, key by key."""
    own = toml(tmp_path, "max_steps = 1\nmax_tokens = 1\nmodel = 'own'\nthinking = 1", "own.toml")
    project = toml(tmp_path, "max_steps = 2\nmax_tokens = 2\nmodel = 'project'", "project.toml")
    options = settled({"max_steps": 4}, {"AI_AGENT_MAX_STEPS": "3", "AI_AGENT_MAX_TOKENS": "3"}, own, project)
    assert (options.max_steps, options.max_tokens, options.model, options.thinking) == (4, 3, "project", 1)
    assert options.approve_timeout_ms == 120_000
    assert options.stated == {"max_steps", "max_tokens", "model", "thinking"}
    assert settled({}, {}, own).model == "own"
    assert settled().stated == frozenset()


def test_the_built_in_values_are_the_contracts() -> None:
    """100 steps for run and no limit for serve, and the rest of the table."""
    options = settled()
    assert (options.model, options.gateway_url, options.max_steps) == ("claude-opus-4-8", "http://ai.internal", 100)
    assert (options.approve, options.approve_timeout_ms, options.bash_timeout_ms) == ("off", 120_000, 120_000)
    assert (options.compaction_reserve_tokens, options.compaction_keep_recent_tokens) == (16_384, 20_000)
    assert (options.retry_max_retries, options.retry_base_delay_ms, options.event_idle_timeout_ms) == (3, 250, 600_000)
    assert (options.replay_bytes, options.session_idle_timeout, options.drain_grace) == (4 * 1024 * 1024, 3600, 0)
    assert settled(command="serve").max_steps is None
    assert settled({}, {"AI_AGENT_MAX_STEPS": "5"}, command="serve").max_steps == 5
    assert options.offered == TOOL_NAMES == tuple(sorted(TOOL_NAMES))


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("1", True),
        ("true", True),
        ("YES", True),
        ("on", True),
        ("0", False),
        ("false", False),
        ("no", False),
        ("off", False),
    ],
)
def test_a_switch_in_a_variable_is_a_truth(text: str, on: bool) -> None:  # noqa: FBT001 - a row of the table
    """AI_DIRECT=0 is not AI_DIRECT=1, and says something all the same."""
    options = settled({}, {"AI_DIRECT": text})
    assert options.direct is on
    assert options.stated == {"direct"}


def test_an_empty_variable_is_none() -> None:
    """A wrapper that exports all of them states nothing by that."""
    assert settled({}, {flag.environment: "" for flag in FLAGS}) == settled()


def test_settings_of_the_other_command_are_passed_over(tmp_path: Path) -> None:
    """One file serves both commands."""
    file = toml(tmp_path, "replay_bytes = 5")
    assert settled({}, {"AI_AGENT_REPLAY_BYTES": "x"}, file) == settled()
    assert settled({}, {}, file, command="serve").replay_bytes == 5


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("modle = 'x'", "modle: there is no such setting; did you mean model?"),
        ("max-steps = 5", "max-steps: there is no such setting; did you mean max_steps?"),
        ("zzz = 1", "zzz: there is no such setting"),
        ("[run]\nmodel = 'x'", "run: there is no such setting"),
        ("task = ['x']", "task: there is no such setting"),
        ("model = ", "is no TOML: "),
        ("a = 1\na = 2", "is no TOML: "),
        ("models = 5", 'models: must be tables, as [models."my-model"]'),
        ("[models]\nx = 5", 'models."x": must be a table'),
        (
            "[models.x]\nwindow = 5",
            'models."x".window: there is no such setting; there are context_window, max_output,',
        ),
        ("[models.x]\ncontext_window = 0", 'models."x".context_window: must be a whole number of at least 1, not 0'),
        ("[models.x]\nmax_output = true", 'models."x".max_output: must be a whole number of at least 1, not True'),
        ("[models.x]\nvision = 'yes'", "models.\"x\".vision: must be true or false, not 'yes'"),
        ("[models.x]\ndialect = 'openai'", 'models."x".dialect: must be one of anthropic, chat, responses'),
        ("[models.x]\nthinking = true", 'models."x".thinking: must be one of none, budget, adaptive, effort'),
        ("tools = 'read,raed'", "tools: must be names of tools, separated by commas: bash, edit, "),
        ("approve = 'tools:bsah'", "approve: must be off, writes, all or tools:A,B"),
    ],
)
def test_an_unknown_key_or_a_wrong_type_names_file_and_key(text: str, fault: str, tmp_path: Path) -> None:
    """Exit 2 with what would have been right."""
    file = toml(tmp_path, text)
    with pytest.raises(UsageError) as raised:
        settled({}, {}, file)
    assert str(raised.value).startswith(f"{file}: {fault}")
    assert raised.value.status == 2


def test_a_file_that_is_missing_is_empty_and_one_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A directory in its place is no missing file."""
    assert settled({}, {}, tmp_path / "missing.toml", tmp_path / "missing" / "agent.toml") == settled()
    file = toml(tmp_path, "")
    assert settled({}, {}, file, file / "below.toml") == settled()
    with pytest.raises(UsageError, match=rf"^{tmp_path}: cannot be read: Is a directory"):
        settled({}, {}, tmp_path)
    file.write_bytes(b'model = "\xff"')
    with pytest.raises(UsageError, match=rf"^{file}: is no TOML: "):
        settled({}, {}, file)


def test_models_of_several_files_add_up_by_key(tmp_path: Path) -> None:
    """The project's word on one ability leaves the user's on another."""
    own = toml(
        tmp_path, '[models."my.model"]\ncontext_window = 1000\nvision = true\n[models.b]\nvision = false', "own.toml"
    )
    project = toml(tmp_path, '[models."my.model"]\ncontext_window = 2000\ndialect = "chat"', "project.toml")
    options = settled({}, {}, own, project)
    assert options.models == {
        "my.model": {"context_window": 2000, "vision": True, "dialect": "chat"},
        "b": {"vision": False},
    }


def test_a_cost_without_prices_is_a_usage_error() -> None:
    """From whatever layer the two come."""
    with pytest.raises(UsageError, match=r"^--max-cost: needs --prices IN,OUT"):
        settled({"max_cost": 5.0})
    options = settled({"max_cost": 5.0}, {"AI_AGENT_PRICES": "1,2"})
    assert options.max_cost == 5.0
    assert options.prices is not None


@pytest.mark.parametrize(
    ("given", "offered"),
    [
        ({"tools": ("write", "read")}, ("read", "write")),
        ({"tools": ("write", "read"), "exclude_tools": ("read",)}, ("write",)),
        ({"exclude_tools": ("bash", "fork", "sync", "logs")}, ("edit", "find", "grep", "ls", "read", "write")),
        ({"no_tools": True}, ()),
    ],
)
def test_the_tools_that_a_model_has(given: dict[str, Any], offered: tuple[str, ...]) -> None:
    """Those chosen, without those left out, sorted."""
    assert settled(given).offered == offered


def test_a_key_shows_in_no_repr() -> None:
    """Settings may be logged."""
    assert "secret" not in repr(settled({}, {"AI_AGENT_KEY": "bai_v1.secret"}))
