"""Every setting of `run` and `serve`, after all layers were read. Defaults are the contract's (agent contract, run)."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from beyond_agent_core.limits import Prices
from beyond_wire.types import DialectName, Effort

Output: TypeAlias = Literal["text", "final", "json"]
TOOL_NAMES = ("bash", "edit", "find", "fork", "grep", "logs", "ls", "read", "sync", "write")
"""The tools there are, sorted."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. Times are milliseconds or seconds as the name says; None is no limit, or the model's own.

    `stated` names the settings that some layer said something about; all others have their defaults.
    """

    stated: frozenset[str] = frozenset()
    # which model answers
    model: str = "claude-opus-4-8"
    gateway_url: str = "http://ai.internal"
    key: str | None = None
    direct: bool = False
    dialect: DialectName | None = None
    models: dict[str, dict[str, Any]] = {}
    # how it answers
    thinking: int | None = None
    reasoning_effort: Effort | Literal["off"] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    cache_long: bool = False
    block_images: bool = False
    # budgets
    max_steps: int | None = 100
    max_tokens_total: int | None = None
    max_seconds: float | None = None
    max_cost: float | None = None
    prices: Prices | None = None
    # prompt and resources
    system_prompt: str | None = None
    append_system_prompt: tuple[str, ...] = ()
    trust_project: bool = False
    no_skills: bool = False
    no_prompt_templates: bool = False
    no_context_files: bool = False
    skill: tuple[str, ...] = ()
    prompt_template: tuple[str, ...] = ()
    # tools and policy
    tools: tuple[str, ...] | None = None
    exclude_tools: tuple[str, ...] = ()
    no_tools: bool = False
    sequential_tools: bool = False
    deny_tool: tuple[str, ...] = ()
    deny_bash_pattern: tuple[str, ...] = ()
    deny_path: tuple[str, ...] = ()
    approve: str = "off"
    approve_timeout_ms: int = 120_000
    bash_timeout_ms: int = 120_000
    bash_shell_path: str | None = None
    # a history that grows, and faults
    context_window: int | None = None
    compaction_reserve_tokens: int = 16_384
    compaction_keep_recent_tokens: int = 20_000
    no_compaction: bool = False
    retry_max_retries: int = 3
    retry_base_delay_ms: int = 250
    no_retry: bool = False
    event_idle_timeout_ms: int = 600_000
    # the session
    session: str | None = None
    continue_: bool = False
    session_id: str | None = None
    fork: str | None = None
    session_dir: str | None = None
    session_file: str | None = None
    name: str | None = None
    takeover: bool = False
    no_session: bool = False
    # what `run` is asked and says
    task: tuple[str, ...] = ()
    no_stdin: bool = False
    json: bool = False
    final: bool = False
    plain: bool = False
    output_schema: str | None = None
    output_description: str | None = None
    # `serve`
    listen_uds: str | None = None
    replay_bytes: int = 4 * 1024 * 1024
    session_idle_timeout: float = 3600.0
    drain_grace: float = 0.0

    @property
    def offered(self) -> tuple[str, ...]:
        """Names of the tools that the model has."""
        if self.no_tools:
            return ()
        chosen = TOOL_NAMES if self.tools is None else self.tools
        return tuple(name for name in TOOL_NAMES if name in chosen and name not in self.exclude_tools)

    def __repr__(self) -> str:
        return f"<Options model={self.model!r} direct={self.direct}>"


def built_in(command: str) -> Options:
    """Return what holds for a command where nothing is said: a served session has no end of its own."""
    return Options(max_steps=None) if command == "serve" else Options()
