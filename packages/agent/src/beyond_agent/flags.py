"""The settings as flags: one table that parsing, `--help`, variables and file keys all come from.

argparse does the parsing, with abbreviations off: it costs two milliseconds of start, and reads argv as people expect.
Contract: agent contract, run.
"""

from __future__ import annotations

import argparse
import os
from typing import Any, Final, NamedTuple

from beyond_agent import flags_kinds as kinds
from beyond_agent.arguments import Parser
from beyond_agent.errors import UsageError
from beyond_agent.flags_kinds import SWITCHED, Kind, many
from beyond_agent.options import built_in
from beyond_wire.types import EFFORTS


class Flag(NamedTuple):
    """One setting. `variable` is the one that help names, `only` the one command that has it, `also` another name."""

    name: str
    kind: Kind
    help: str
    short: str | None = None
    variable: str | None = None
    repeatable: bool = False
    only: str | None = None
    also: str | None = None

    @property
    def key(self) -> str:
        """Its name in a file."""
        return self.name.removeprefix("--").replace("-", "_")

    @property
    def field(self) -> str:
        """Its name in `Options`."""
        return "continue_" if self.key == "continue" else self.key

    @property
    def environment(self) -> str:
        """The variable it is read from."""
        return self.variable or f"AI_AGENT_{self.key.upper()}"


GROUPS: Final[dict[str, tuple[Flag, ...]]] = {
    "model": (
        Flag("--model", kinds.TEXT, "id of the model that answers", variable="AI_AGENT_MODEL"),
        Flag("--gateway-url", kinds.TEXT, "base URL of the gateway, with or without a provider's prefix",
             variable="AI_GATEWAY_URL"),
        Flag("--key", kinds.TEXT, "virtual key for the gateway; other users of this machine can see it here, so "
             "prefer the variable", variable="AI_AGENT_KEY"),
        Flag("--direct", SWITCHED, "ask the provider at AI_BASE_URL with AI_API_KEY, past any gateway",
             variable="AI_DIRECT"),
        Flag("--dialect", kinds.DIALECT, "wire format, where the model's own is not right: anthropic, chat or "
             "responses"),
        Flag("--thinking", kinds.COUNT, "budget for thinking, in tokens"),
        Flag("--reasoning-effort", kinds.EFFORT, f"how hard the model thinks: off, {', '.join(EFFORTS)}; medium where "
             "it can", variable="AI_AGENT_REASONING_EFFORT"),
        Flag("--max-tokens", kinds.COUNT, "most tokens of one answer"),
        Flag("--temperature", kinds.NUMBER_FROM_0, "sampling temperature"),
        Flag("--cache-long", SWITCHED, "keep the prompt cached for an hour where the provider can"),
        Flag("--block-images", SWITCHED, "send no images"),
    ),
    "budgets": (
        Flag("--max-steps", kinds.COUNT, "most model turns of a run", variable="AI_AGENT_MAX_STEPS"),
        Flag("--max-tokens-total", kinds.COUNT, "most tokens of a run, prompt and cache included"),
        Flag("--max-seconds", kinds.SECONDS, "longest time of a run"),
        Flag("--max-cost", kinds.AMOUNT, "most money of a run; needs --prices"),
        Flag("--prices", kinds.PRICES, "prices of a million tokens"),
    ),
    "prompt": (
        Flag("--system-prompt", kinds.ANY_TEXT, "replaces the built-in instructions; @FILE reads them"),
        Flag("--append-system-prompt", many(kinds.TEXT), "adds to them; @FILE reads it", repeatable=True),
        Flag("--trust-project", SWITCHED, "read the project's own prompt, skills, templates and settings, this time",
             short="-a"),
        Flag("--no-skills", SWITCHED, "load no skills"),
        Flag("--no-prompt-templates", SWITCHED, "load no prompt templates"),
        Flag("--no-context-files", SWITCHED, "load no AGENTS.md"),
        Flag("--skill", many(kinds.PATH), "a further skill, or folder of them", repeatable=True),
        Flag("--prompt-template", many(kinds.PATH), "a further prompt template, or folder of them", repeatable=True),
    ),
    "tools": (
        Flag("--tools", kinds.NAMES, "only these of the ten that beyond-ai-agent tools prints", short="-t"),
        Flag("--exclude-tools", kinds.NAMES, "all but these"),
        Flag("--no-tools", SWITCHED, "none"),
        Flag("--sequential-tools", SWITCHED, "one call at a time"),
        Flag("--bash-timeout-ms", kinds.MILLIS, "longest time of a command, unless the model asks for another",
             variable="AI_AGENT_BASH_TIMEOUT_MS"),
        Flag("--bash-shell-path", kinds.PATH, "the shell that runs commands"),
    ),
    "policy": (
        Flag("--deny-tool", many(kinds.TEXT), "a tool that may not run", repeatable=True),
        Flag("--deny-bash-pattern", many(kinds.TEXT), "a text that no command may contain, in any case",
             repeatable=True),
        Flag("--deny-path", many(kinds.TEXT), "a glob of paths that no tool may name", repeatable=True),
        Flag("--approve", kinds.APPROVE, "which calls wait for a person's yes: off, writes, all or tools:A,B"),
        Flag("--approve-timeout-ms", kinds.MILLIS, "longest wait for it; no answer is a no"),
    ),
    "long sessions and faults": (
        Flag("--context-window", kinds.COUNT, "the model's window, in tokens, where the table is wrong"),
        Flag("--compaction-reserve-tokens", kinds.COUNT, "room kept free in it"),
        Flag("--compaction-keep-recent-tokens", kinds.COUNT, "tokens of history that a compaction leaves as they are"),
        Flag("--no-compaction", SWITCHED, "never make the history smaller before it must be"),
        Flag("--retry-max-retries", kinds.COUNT_FROM_0, "further attempts at a model call that failed, and again "
             "after each of three longer waits"),
        Flag("--retry-base-delay-ms", kinds.MILLIS, "wait before the first of them; doubles each time"),
        Flag("--no-retry", SWITCHED, "make none"),
        Flag("--event-idle-timeout-ms", kinds.MILLIS, "longest silence of the model before it counts as stalled"),
    ),
    "session": (
        Flag("--session", kinds.TEXT._replace(metavar="PATH_OR_ID"), "go on with this session"),
        Flag("--continue", SWITCHED, "go on with the newest session of this directory", short="-c"),
        Flag("--session-id", kinds.TEXT, "go on with the session of exactly this id, or begin it"),
        Flag("--fork", kinds.TEXT._replace(metavar="PATH_OR_ID"), "go on with a copy of this session"),
        Flag("--session-dir", kinds.PATH, "where sessions are kept", variable="AI_AGENT_SESSION_DIR"),
        Flag("--session-file", kinds.PATH, "keep one session, in this file", variable="AI_AGENT_SESSION_FILE",
             only="serve"),
        Flag("--name", kinds.TEXT, "title of the session", short="-n"),
        Flag("--takeover", SWITCHED, "take the session from a process that has it open"),
        Flag("--no-session", SWITCHED, "write nothing to disk", also="--no-session-persistence"),
    ),
    "input and output": (
        Flag("--no-stdin", SWITCHED, "leave standard input alone", only="run"),
        Flag("--json", SWITCHED, "print one event a line", only="run"),
        Flag("--final", SWITCHED, "print the last answer only", only="run"),
        Flag("--plain", SWITCHED, "no colour and no live display", only="run"),
        Flag("--output-schema", kinds.TEXT._replace(metavar="JSON_OR_PATH"),
             "answer with JSON of this schema, given here or in a file", only="run"),
        Flag("--output-description", kinds.TEXT, "what that JSON is, for the model", only="run"),
    ),
    "serving": (
        Flag("--listen-uds", kinds.PATH, "listen on this Unix socket instead of standard input", only="serve"),
        Flag("--replay-bytes", kinds.COUNT, "bytes of frames kept for a client that comes back", only="serve"),
        Flag("--session-idle-timeout", kinds.SECONDS_FROM_0, "time until a session without a client is unloaded; "
             "0 for never", only="serve"),
        Flag("--drain-grace", kinds.SECONDS_FROM_0, "time that runs get to end by themselves at a stop", only="serve"),
    ),
}  # fmt: skip
"""The flags in the order of `--help`."""

FLAGS: Final = tuple(flag for group in GROUPS.values() for flag in group)
EXCLUSIVE: Final = (
    ("--session", "--continue", "--session-id", "--fork"),
    ("--json", "--final"),
    ("--no-tools", "--tools"),
    ("--thinking", "--reasoning-effort"),
)
"""Flags of which one may be given at most."""


_ELSEWHERE: Final = """\
Each flag is a variable too, AI_AGENT_ and its name unless another stands behind it, and a key of agent.toml. A flag
goes before a variable, that before .beyond-ai/agent.toml of a trusted project, that before your own in
~/.config/beyond-ai/agent.toml."""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal. argparse makes one for each flag, and would import `shutil` for its width: 3 ms."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


def parser_for(command: str, usage: str, describe: str) -> Parser:
    """Return the parser of `run` or `serve`; what is not given is not in its namespace."""
    parser = Parser(
        prog=f"beyond-ai-agent {command}",
        usage=usage,
        description=describe,
        epilog=_ELSEWHERE,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=_Formatter,
    )
    if command == "run":
        parser.tasks = True
        parser.add_argument("task", nargs="*", metavar="TASK", help="what to do")
    defaults = built_in(command)
    for title, flags in GROUPS.items():
        if had := [flag for flag in flags if flag.only in (None, command)]:
            group = parser.add_argument_group(title)
            for flag in had:
                _add(group, flag, getattr(defaults, flag.field))
    return parser


def _add(group: Any, flag: Flag, default: object) -> None:
    names = [name for name in (flag.short, flag.name, flag.also) if name is not None]
    notes = [] if flag.variable is None else [flag.variable]
    if flag.kind is SWITCHED:
        group.add_argument(*names, dest=flag.field, action="store_true", help=_help(flag, notes))
        return
    if default not in (None, ()):
        notes.append(f"default {default}")
    if flag.repeatable:
        notes.append("repeatable")
    action = "append" if flag.repeatable else "store"
    metavar = flag.kind.metavar
    group.add_argument(*names, dest=flag.field, action=action, metavar=metavar, help=_help(flag, notes))


def _help(flag: Flag, notes: list[str]) -> str:
    return (flag.help + (f" ({', '.join(notes)})" if notes else "")).replace("%", "%%")


def given_on(argv: list[str], parser: Parser) -> dict[str, Any]:
    """Return the values of the flags on `argv`, wherever they stand, and the rest as `task`. Raises UsageError."""
    ahead, behind = _parted(argv)
    # What stands behind `--` is never a flag, which argparse forgets where flags and tasks may stand in any order.
    raw = vars(parser.parse_intermixed_args(ahead))
    _refuse_twice_chosen(raw)
    if behind and not parser.tasks:
        parser.error(f"unrecognized arguments: {' '.join(behind)}")
    values: dict[str, Any] = {}
    for flag in FLAGS:
        if flag.field not in raw:
            continue
        told = raw.pop(flag.field)
        if flag.kind is SWITCHED:
            values[flag.field] = True
        elif flag.repeatable:
            values[flag.field] = tuple(each for text in told for each in read_text(flag, text, flag.name))
        else:
            values[flag.field] = read_text(flag, told, flag.name)
    if tasks := (*raw.pop("task", ()), *behind):
        values["task"] = tasks
    return raw | values


def read_text(flag: Flag, text: str, source: str) -> Any:
    """Return the value of a setting in a text. Raises UsageError naming `source`."""
    try:
        return flag.kind.text(text)
    except ValueError:
        raise UsageError(f"{source}: must be {flag.kind.expected}, not {_shown(flag, text)}") from None


def read_value(flag: Flag, value: object, source: str) -> Any:
    """Return the value of a setting in a file. Raises UsageError naming `source`."""
    try:
        return flag.kind.value(value)
    except ValueError:
        raise UsageError(f"{source}: must be {flag.kind.expected}, not {_shown(flag, value)}") from None


def _shown(flag: Flag, value: object) -> str:
    # A key that was refused may still be one.
    return "what was given" if flag.key == "key" else repr(value)[:80]


def _parted(argv: list[str]) -> tuple[list[str], list[str]]:
    at = argv.index("--") if "--" in argv else len(argv)
    return argv[:at], argv[at + 1 :]


def _refuse_twice_chosen(raw: dict[str, Any]) -> None:
    fields = {flag.name: flag.field for flag in FLAGS}
    for group in EXCLUSIVE:
        both = [name for name in group if fields[name] in raw]
        if len(both) > 1:
            raise UsageError(f"give one of {', '.join(group)}: {' and '.join(both)} exclude each other")
