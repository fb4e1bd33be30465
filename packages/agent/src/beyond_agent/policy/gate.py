"""The hook before each call: decides, asks where that is needed, and remembers what it is told to.

Only a clear yes lets a call run. Whatever else comes back, and whatever goes wrong on the way, is a no.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from beyond_agent.policy.approver import Approver, Ask, Denied, Rules

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from beyond_agent.options import Options
    from beyond_agent_core.tools import Tool

NO_ANSWER = "no answer to the question for approval"
"""Reason where whoever was asked gave none."""


class Answer(Protocol):
    """What was answered. `decision` is `allow` or `deny`, `scope` is `once` or `session`."""

    @property
    def decision(self) -> str:
        """Whether the call may run."""
        ...

    @property
    def scope(self) -> str | None:
        """How long that counts."""
        ...

    @property
    def reason(self) -> str | None:
        """Why it may not."""
        ...


Asker: TypeAlias = "Callable[[str, str, str], Awaitable[Answer]]"
"""Asks about a tool, by a summary and a scope key; ends by itself when its time is up."""


class Gate:
    """Lets calls through or not; give it to an agent as `Hooks(before_tool_call=gate)`."""

    def __init__(self, approver: Approver, ask: Asker) -> None:
        self.approver = approver
        self._ask = ask

    async def __call__(self, name: str, given: dict[str, Any], session: object) -> str | None:
        """Return why a call may not run, None where it may."""
        del session
        decision = self.approver.decide(name, given)
        if isinstance(decision, Denied):
            return decision.reason
        if not isinstance(decision, Ask):
            return None
        answer = await self._ask(name, decision.summary, decision.scope_key)
        if answer.decision != "allow":
            return answer.reason or NO_ANSWER
        if answer.scope == "session":
            self.approver.remember(decision.scope_key)
        return None

    def __repr__(self) -> str:
        return f"<Gate {self.approver!r}>"


def approver_for(
    options: Options, tools: Iterable[Tool], *, home: str, cwd: str, canonical: Callable[[str], str]
) -> Approver:
    """Return what decides on the calls of a session in `cwd`. `canonical` resolves the symlinks of an absolute path.

    Raises UsageError for a tool that there is not: a typo must not leave a gate open.
    """
    from beyond_agent.tools.paths import spellings  # noqa: PLC0415 - the first request need not wait for it

    denied = None
    if options.deny_path:
        from beyond_agent.policy.deny_paths import DeniedPaths  # noqa: PLC0415 - most runs deny none

        denied = DeniedPaths(options.deny_path, home=home, cwd=cwd, canonical=canonical)
    rules = Rules(options.deny_tool, options.deny_bash_pattern, denied, options.approve)
    return Approver(rules, tools, lambda path: [canonical(each) for each in spellings(path, cwd)])
