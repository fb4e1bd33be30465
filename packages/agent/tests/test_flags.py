from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_agent.__main__ import main
from beyond_agent.errors import UsageError
from beyond_agent.flags import EXCLUSIVE, FLAGS, Flag, given_on, parser_for
from beyond_agent.flags_kinds import SWITCHED
from beyond_agent.options import TOOL_NAMES, Options
from beyond_agent_core.limits import Prices
from beyond_wire.types import EFFORTS

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = ("run", "serve")
RIGHT: dict[str, tuple[str, ...]] = {
    "TEXT": ("words", "sess_1", "@file"),
    "PATH": ("/tmp/x", "a b", "~/x"),  # noqa: S108 - a path that nothing opens
    "PATH_OR_ID": ("/tmp/x.jsonl", "sess_1"),  # noqa: S108 - as above
    "JSON_OR_PATH": ("{}", "schema.json"),
    "N": ("1", "100", "9007199254740991"),
    "MS": ("1", "120000"),
    "SECONDS": ("0.5", "30"),
    "AMOUNT": ("0.01", "5"),
    "X": ("0", "1.5"),
    "IN,OUT[,READ,WRITE]": ("3,15", "3,15,0.3", "3,15,0.3,3.75", "0,0"),
    "NAME": ("anthropic", "chat", "responses"),
    "LEVEL": ("off", *EFFORTS),
    "A,B": ("read", "read,bash", ",".join(TOOL_NAMES), " read , ls "),
    "WHAT": ("off", "writes", "all", "tools:bash", "tools:bash,write"),
}
"""Values that are right, by what `--help` calls the value."""
WRONG: dict[str, tuple[str, ...]] = {
    "TEXT": ("", " ", "a\0b"),
    "PATH": ("", "\t", "a\0b"),
    "PATH_OR_ID": ("", " "),
    "JSON_OR_PATH": ("", " "),
    "N": ("", "x", "-1", "1.5", "1e3", "9007199254740992", "ten"),
    "MS": ("", "x", "0", "-1", "1.5", "10s"),
    "SECONDS": ("", "x", "-1", "nan", "inf", "10s"),
    "AMOUNT": ("", "x", "0", "-1", "nan", "inf", "$5"),
    "X": ("", "x", "-1", "nan", "inf"),
    "IN,OUT[,READ,WRITE]": ("", "3", "3,x", "3,-1", "1,2,3,4,5", "3;15", "nan,1"),
    "NAME": ("", "openai", "Chat", "chat "),
    "LEVEL": ("", "none", "High", "very high"),
    "A,B": ("", ",", "raed", "read,bsah", "read bash"),
    "WHAT": ("", "none", "write", "tools", "tools:", "tools:bsah", "tools:,", "all:read", "OFF"),
}
"""Values that are not."""

VALUED = [
    pytest.param(command, flag, id=f"{command}{flag.name}")
    for command in COMMANDS
    for flag in FLAGS
    if flag.only in (None, command) and flag.kind is not SWITCHED
]
HAS_ANY_TEXT = ("--system-prompt",)
"""An empty text is right here: it is how to send no instructions."""


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a home without settings, and with no variables."""
    for name in [name for name in os.environ if name.startswith(("AI_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def read(command: str, *argv: str) -> dict[str, Any]:
    """Return what the flags on a command line say."""
    return given_on(list(argv), parser_for(command, f"beyond-ai-agent {command}", ""))


@pytest.mark.parametrize(("command", "flag"), VALUED)
def test_every_flag_takes_its_values(command: str, flag: Flag) -> None:
    """Also as `--flag=value`, and by its short name."""
    for text in RIGHT[flag.kind.metavar]:
        expected = {flag.field: flag.kind.text(text)}
        assert read(command, flag.name, text) == expected
        assert read(command, f"{flag.name}={text}") == expected
        if flag.short:
            assert read(command, flag.short, text) == expected


@pytest.mark.parametrize(("command", "flag"), VALUED)
def test_every_flag_refuses_bad_values_and_names_the_mending(command: str, flag: Flag) -> None:
    """One line that begins with the flag and says what would have been right; a key is not shown."""
    for text in () if flag.name in HAS_ANY_TEXT else WRONG[flag.kind.metavar]:
        if flag.key in {"session_idle_timeout", "drain_grace", "retry_max_retries"} and text == "0":
            continue
        with pytest.raises(UsageError) as raised:
            read(command, f"{flag.name}={text}")
        message = str(raised.value)
        assert message.startswith(f"{flag.name}: must be {flag.kind.expected}, not ")
        assert "\n" not in message
        assert len(message) < 300
        if flag.key == "key":
            assert message.endswith("not what was given")


@pytest.mark.parametrize(("command", "flag"), VALUED)
def test_every_flag_needs_its_value(command: str, flag: Flag) -> None:
    """One that ends the line, or stands before another flag, names itself."""
    for more in ((), ("--no-retry",)):
        with pytest.raises(
            UsageError, match=rf"{flag.name}\b.*expected one argument; see beyond-ai-agent {command} --help"
        ):
            read(command, flag.name, *more)


@pytest.mark.parametrize("flag", [each for each in FLAGS if each.kind is SWITCHED], ids=lambda each: each.name)
def test_every_switch_takes_no_value(flag: Flag) -> None:
    """It is on where it stands."""
    command = flag.only or "run"
    assert read(command, flag.name)[flag.field] is True
    with pytest.raises(UsageError, match=rf"{flag.name}\b.*ignored explicit argument"):
        read(command, f"{flag.name}=yes")
    for other in (flag.short, flag.also):
        if other:
            assert read(command, other)[flag.field] is True


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("word", ["--modle", "--mod", "--max-step", "--no-sess", "-x", "--verbose=1", "--Model"])
def test_unknown_and_abbreviated_flags_are_refused(command: str, word: str) -> None:
    """A flag that is added later must not change what an old command line means."""
    with pytest.raises(UsageError, match=rf"{re.escape(word)}.*; see beyond-ai-agent {command} --help"):
        read(command, word, "x")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_flag_of_the_other_command_is_unknown(command: str) -> None:
    """`run` cannot listen, `serve` has no output forms."""
    for flag in FLAGS:
        if flag.only not in (None, command):
            with pytest.raises(UsageError, match=flag.name):
                read(command, flag.name, *([] if flag.kind is SWITCHED else ["1"]))


@pytest.mark.parametrize(("first", "second"), [(a, b) for group in EXCLUSIVE for a in group for b in group if a != b])
def test_flags_that_exclude_each_other_are_refused_together(first: str, second: str) -> None:
    """In any order and form; each alone is right."""
    by_name = {flag.name: flag for flag in FLAGS}

    def forms(name: str) -> list[list[str]]:
        flag = by_name[name]
        value = [] if flag.kind is SWITCHED else [RIGHT[flag.kind.metavar][0]]
        short = [[flag.short, *value]] if flag.short else []
        return [[name, *value], *([[f"{name}={value[0]}"]] if value else []), *short]

    for one in forms(first):
        read("run", *one)
        for other in forms(second):
            with pytest.raises(UsageError) as raised:
                read("run", *one, *other)
            assert {first, second} <= set(re.findall(r"--[a-z-]+", str(raised.value).partition(": ")[2]))


def test_what_may_be_given_again_adds_up_and_of_the_rest_the_last_counts() -> None:
    """Repeatable flags are lists."""
    assert read("run", "--deny-tool", "bash", "--deny-tool=write")["deny_tool"] == ("bash", "write")
    assert read("run", "--model", "a", "--model", "b")["model"] == "b"


def test_tasks_stand_beside_flags_and_all_behind_two_dashes_is_one() -> None:
    """A task that begins with a dash needs `--`."""
    assert read("run", "--final", "one", "two")["task"] == ("one", "two")
    assert read("run", "one", "--final", "two")["task"] == ("one", "two")
    assert read("run", "one", "two", "--final")["task"] == ("one", "two")
    assert read("run", "--", "--final", "-x", "--json")["task"] == ("--final", "-x", "--json")
    assert read("run", "-")["task"] == ("-",)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_every_flag_with_its_variable_and_default(command: str) -> None:
    """And that a key on the command line is seen by others."""
    text = " ".join(parser_for(command, command, "").format_help().split())
    for flag in FLAGS:
        assert (f" {flag.name}" in text) == (flag.only in (None, command))
        if flag.variable and flag.only in (None, command):
            assert flag.variable in text
    assert "other users of this machine can see it" in text
    assert "default 120000" in text
    assert ("default 100)" in text) == (command == "run")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_the_words_that_a_flag_takes_and_where_its_file_lies(command: str) -> None:
    """Nobody has to give a wrong word to learn the right ones."""
    text = " ".join(parser_for(command, command, "").format_help().split())
    assert "anthropic, chat or responses" in text
    assert f"off, {', '.join(EFFORTS)}" in text
    assert "off, writes, all or tools:A,B" in text
    assert text.count("repeatable") == sum(flag.repeatable for flag in FLAGS)
    assert ".beyond-ai/agent.toml of a trusted project" in text
    assert "~/.config/beyond-ai/agent.toml" in text


@pytest.mark.parametrize("argv", [("-ac", "--session=x"), ("-tread", "--no-tools"), ("-c", "--fork", "x")])
def test_short_flags_that_are_run_together_exclude_as_others_do(argv: tuple[str, ...]) -> None:
    """`-ac` is `-a -c`, and `-tread` is `-t read`."""
    with pytest.raises(UsageError, match="exclude each other"):
        read("run", *argv)


def test_every_setting_has_a_flag() -> None:
    """The table and the options are the same list."""
    fields = {each.name for each in msgspec.structs.fields(Options)} - {"stated", "models", "task"}
    assert {flag.field for flag in FLAGS} == fields
    assert len({flag.environment for flag in FLAGS}) == len(FLAGS)


def test_prices_are_of_a_million_tokens() -> None:
    """What is kept for an hour costs what writing to the cache does."""
    prices = read("run", "--prices", "3,15,0.3,3.75")["prices"]
    assert prices == Prices(input=3, output=15, cache_read=0.3, cache_write=3.75, cache_write_1h=3.75)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=6))
def test_any_command_line_is_read_or_refused_in_one_line(argv: list[str]) -> None:
    """No other exception, whatever is typed; only --help ends the program by itself."""
    with suppress(UsageError, SystemExit):
        assert set(read("run", *argv)) <= {"task", *(flag.field for flag in FLAGS)}


@pytest.mark.parametrize(("command", "flag"), VALUED)
@pytest.mark.usefixtures("empty_home")
def test_a_bad_value_ends_the_command_with_2_and_one_line(
    command: str, flag: Flag, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is on stdout, and the line on stderr names the argument."""
    if flag.name in HAS_ANY_TEXT:
        return
    assert main([command, f"{flag.name}={WRONG[flag.kind.metavar][0]}"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"beyond-ai-agent: {flag.name}: must be ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("words", "start"),
    [
        (("--max-cost", "5"), "--max-cost: needs --prices"),
        (("--session", "a", "-c"), "give one of --session, --continue, --session-id, --fork: "),
        (("--mod", "x"), "unrecognized arguments: --mod"),
        (("--model",), "argument --model: expected one argument"),
    ],
)
@pytest.mark.usefixtures("empty_home")
def test_a_conflict_or_an_unknown_flag_ends_the_command_alike(
    command: str, words: tuple[str, ...], start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on stderr, exit 2."""
    assert main([command, *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"beyond-ai-agent: {start}")
    assert err.count("\n") == 1
