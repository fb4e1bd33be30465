"""Whether a call runs: a decision over values. Nobody is asked here, and no file is touched but to resolve its path.

The order is the contract's: denied for good, not gated, allowed before, ask (agent contract, policy and approvals).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from beyond_agent.errors import UsageError
from beyond_agent.options import TOOL_NAMES
from beyond_agent_core.errors import InvalidInput
from beyond_agent_core.tools import target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from beyond_agent.policy.deny_paths import DeniedPaths
    from beyond_agent_core.tools import Tool

NAMING: Final = {"bash": "cwd", "find": "path", "grep": "path", "ls": "path", "sync": "path"}
"""The argument by which a tool without a target names a path; left out, it is the current directory."""
SEARCHING: Final = frozenset({"find", "grep", "ls"})
"""Those of them that look for a path that is not there by its other spellings."""


class Denied(NamedTuple):
    """The call does not run, whoever might allow it; the model is told the reason."""

    reason: str


class Allowed(NamedTuple):
    """The call runs."""


class Ask(NamedTuple):
    """A person is to decide. `scope_key` stands for the calls that an answer for the whole session is about."""

    summary: str
    scope_key: str


Decision: TypeAlias = Denied | Allowed | Ask


class Rules(NamedTuple):
    """What the settings say: names of tools, texts in commands, globs of paths, and what is gated."""

    tools: Sequence[str] = ()
    commands: Sequence[str] = ()
    paths: DeniedPaths | None = None
    approve: str = "off"


class Approver:
    """Decides on calls, and remembers what was allowed for the session.

    `tools` are those that the model has; `resolve` makes the canonical paths that a path in an argument may mean, as it
    is written first, and raises InvalidInput where it names none. Raises UsageError for a gate or a tool that there is
    not.
    """

    def __init__(self, rules: Rules, tools: Iterable[Tool], resolve: Callable[[str], Sequence[str]]) -> None:
        self._tools = {each.name: each for each in tools}
        self._rules = rules
        self._commands = [(text, text.casefold()) for text in rules.commands]
        self._resolve = resolve
        self._must_exist("--deny-tool", rules.tools)
        self._gated = self._parsed(rules.approve)
        self._remembered: set[str] = set()

    def decide(self, name: str, given: dict[str, Any]) -> Decision:
        """Return what is to happen with a call of a tool by this name with this input."""
        reason = self._denied(name, given)
        if reason is not None:
            return Denied(reason)
        if name not in self._gated:
            return Allowed()
        tool = self._tools.get(name)
        path = None if tool is None else target_of(tool, "write_target", given)
        key = _scope_key(name, given, path)
        if key in self._remembered:
            return Allowed()
        from beyond_agent.policy.summary import summary_of  # noqa: PLC0415 - only a question needs it

        return Ask(summary_of(name, given, path), key)

    def remember(self, scope_key: str) -> None:
        """Allow from now on what this key stands for."""
        self._remembered.add(scope_key)

    def forget(self) -> int:
        """Drop all that was allowed, because its session is left; return how much that was."""
        dropped = len(self._remembered)
        self._remembered.clear()
        return dropped

    def __repr__(self) -> str:
        return f"<Approver approve={self._rules.approve} remembered={len(self._remembered)}>"

    def _parsed(self, approve: str) -> _Gated:
        match approve.partition(":"):
            case ("off", "", _):
                return _Gated(())
            case ("all", "", _):
                return _Gated((), other=True)
            case ("writes", "", _):
                return _Gated((name for name, tool in self._tools.items() if _reads(tool)), other=True)
            case ("tools", ":", names) if chosen := [part.strip() for part in names.split(",") if part.strip()]:
                self._must_exist("--approve", chosen)
                return _Gated(chosen)
            case _:
                raise UsageError(f"--approve: must be off, writes, all or tools:A,B, not {approve!r}")

    def _must_exist(self, flag: str, names: Iterable[str]) -> None:
        known = sorted({*TOOL_NAMES, *self._tools})
        for name in names:
            if name not in known:
                raise UsageError(f"{flag}: there is no tool {name!r}; there are {', '.join(known)}")

    def _denied(self, name: str, given: dict[str, Any]) -> str | None:
        if name in self._rules.tools:
            return f"the tool {name} is denied (--deny-tool)"
        if name == "bash" and self._commands:
            command = str(given.get("command", "")).casefold()
            found = next((text for text, folded in self._commands if folded in command), None)
            if found is not None:
                return f"the command contains {found!r} (--deny-bash-pattern)"
        return self._denied_path(name, given) if self._rules.paths else None

    def _denied_path(self, name: str, given: dict[str, Any]) -> str | None:
        assert self._rules.paths is not None  # noqa: S101 - `_denied` has looked
        try:
            paths = self._paths(name, given)
        except InvalidInput:
            # The tool says the same of it, and does nothing.
            return None
        except (OSError, ValueError) as error:
            return f"its path cannot be resolved: {error} (--deny-path)"
        for path in paths:
            glob = self._rules.paths.glob_of(path)
            if glob is not None:
                return f"{path} is denied by {glob!r} (--deny-path)"
        return None

    def _paths(self, name: str, given: dict[str, Any]) -> list[str]:
        """Return the canonical paths that a call names, once as written and once as the tool will find it."""
        argument = NAMING.get(name, "path")
        written = given.get(argument, "." if name in NAMING else None)
        spelled = self._resolve(written) if isinstance(written, str) else ()
        paths = list(spelled if name in SEARCHING else spelled[:1])
        tool = self._tools.get(name)
        if tool is not None:
            targets = (target_of(tool, "write_target", given), target_of(tool, "read_target", given))
            paths += [target for target in targets if target is not None]
        return paths


class _Gated:
    """The tools that wait for an answer: those named, or all `other` than those."""

    def __init__(self, names: Iterable[str], *, other: bool = False) -> None:
        self._names = frozenset(names)
        self._other = other

    def __contains__(self, name: str) -> bool:
        return (name in self._names) != self._other


def _reads(tool: Tool) -> bool:
    return bool(getattr(tool, "read_only", False))


def _scope_key(name: str, given: dict[str, Any], path: str | None) -> str:
    """Return what an answer for the session is about. A path stands for writing there, never for reading alone."""
    if name == "bash":
        return f"cmd:{given.get('command', '')}"
    return f"tool:{name}" if path is None else f"path:{path}"
