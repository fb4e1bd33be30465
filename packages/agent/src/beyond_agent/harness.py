"""What sessions work with, put together once from the settings: an endpoint, and for each directory tools and prompt.

    Options, Places, Route -> Harness -> Site (one directory) -> Gate (one session) -> Agent (one choice of model)

`run` and `serve` are two ways to use it; a program that embeds the agent may be a third. Nothing is sent, started or
written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, cast

import msgspec

from beyond_agent import places as places_of
from beyond_agent.machine.files import LocalFiles
from beyond_agent.machine.runner import LocalRunner
from beyond_agent.machine.spill import Spills
from beyond_agent.policy.gate import Gate, approver_for
from beyond_agent.prompt.load import is_trusted, load
from beyond_agent.prompt.trust import TrustStore
from beyond_agent.routing import abilities, is_known
from beyond_agent.seams import Workplace
from beyond_agent.toolset import toolset
from beyond_agent_core.agent import Agent
from beyond_agent_core.compaction_plan import CompactionSettings
from beyond_agent_core.dispatch_locks import WriteLocks
from beyond_agent_core.hooks import Hooks
from beyond_agent_core.limits import Limits
from beyond_agent_core.tools import ToolRegistry
from beyond_wire.caps import ROWS
from beyond_wire.types import Effort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from beyond_agent.options import Options
    from beyond_agent.places import Places
    from beyond_agent.policy.gate import Asker
    from beyond_agent.prompt.load import Prompt
    from beyond_agent.sessions.stored import StoredSession
    from beyond_agent_core.hooks import Maybe
    from beyond_agent_core.session import Session
    from beyond_agent_core.tools import Tool
    from beyond_agent_core.transport import ModelTransport
    from beyond_wire.types import Caps

Level: TypeAlias = Effort | Literal["off"]
EFFORT: Final = "medium"
"""How hard a model thinks that can, where nothing is said (agent contract, run)."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The model that answers, and how much it thinks: a budget in tokens, or a level that is clamped to the model."""

    model: str
    budget: int | None = None
    level: Level = EFFORT

    @property
    def thinking(self) -> int | str:
        """The budget, else the level."""
        return self.level if self.budget is None else self.budget


class Site(NamedTuple):
    """One directory that is worked in: its tools and what a session there is told."""

    places: Places
    workplace: Workplace
    tools: ToolRegistry
    prompt: Prompt

    @property
    def cwd(self) -> str:
        """The directory."""
        return self.places.cwd


class Harness:
    """Raises UsageError, on the first use of a setting that cannot be used. `today` is a local date, `2025-01-31`.

    `secrets` are keys that must not show; `environ` and `home` say where a directory's places are.
    """

    def __init__(
        self,
        options: Options,
        transport: ModelTransport,
        *,
        environ: Mapping[str, str],
        home: str,
        today: str,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self.options = options
        self.transport = transport
        self.secrets = secrets
        self._environ = environ
        self._home = home
        self._today = today
        self._files = LocalFiles()
        self._runner = LocalRunner()
        self.spills = Spills()
        self._locks = WriteLocks()
        self._sites: dict[str, Site] = {}

    def site(self, cwd: str) -> Site:
        """Return what a session in this directory works with: the same for all of them, read when first asked for."""
        places = places_of.find(self._environ, self._home, cwd)
        if places.cwd not in self._sites:
            self._sites[places.cwd] = self._made(places)
        return self._sites[places.cwd]

    def choice_for(self, stored: StoredSession) -> Chosen:
        """Return the model that answers in a session: the settings' where they name one, else the session's last."""
        options = self.options
        model = options.model if "model" in options.stated else stored.model
        if {"thinking", "reasoning_effort"} & options.stated or stored.level is None:
            return Chosen(model=model, budget=options.thinking, level=options.reasoning_effort or EFFORT)
        if isinstance(stored.level, int):
            return Chosen(model=model, budget=stored.level)
        return Chosen(model=model, level=cast("Level", stored.level))

    def caps(self, model: str) -> Caps:
        """Return what a model can do."""
        return abilities(model, self.options)

    def knows(self, model: str) -> bool:
        """Whether anything is known of a model; of others the least is assumed."""
        return is_known(model, self.options)

    def models(self) -> list[str]:
        """Return ids of models that something is known of: a hint, for a gateway may have others."""
        return sorted({*(name for name in ROWS if not name.endswith(".")), *self.options.models, self.options.model})

    def gate(self, site: Site, ask: Asker, more: Iterable[Tool] = ()) -> Gate:
        """Return what lets the calls of one session through, also those of `more` tools; it remembers its answers."""
        canonical = self._files.canonical
        approver = approver_for(self.options, (*site.tools, *more), home=self._home, cwd=site.cwd, canonical=canonical)
        return Gate(approver, ask)

    def agent(
        self,
        site: Site,
        chosen: Chosen,
        gate: Gate,
        *,
        checkpoint: Callable[[str, Session], Maybe[object]] | None = None,
        cache_key: str | None = None,
        more: Iterable[Tool] = (),
    ) -> Agent:
        """Return the agent that runs sessions at `site` with this choice; `more` are tools beside the ten."""
        options = self.options
        caps = self.caps(chosen.model)
        return Agent(
            self.transport,
            model=chosen.model,
            tools=_with(site.tools, more),
            system=site.prompt.system,
            limits=Limits(
                max_steps=options.max_steps,
                max_seconds=options.max_seconds,
                max_tokens_total=options.max_tokens_total,
                max_cost=options.max_cost,
                prices=options.prices,
            ),
            max_tokens=options.max_tokens,
            thinking=chosen.budget,
            reasoning_effort=caps.effort(chosen.level) if chosen.budget is None else None,
            temperature=options.temperature,
            cache_key=cache_key,
            cache_long=options.cache_long,
            block_images=options.block_images,
            sequential_tools=options.sequential_tools,
            hooks=Hooks(before_tool_call=gate),
            checkpoint=checkpoint,
            retry=not options.no_retry,
            max_retries=options.retry_max_retries,
            retry_base_delay_ms=options.retry_base_delay_ms,
            event_idle_timeout=options.event_idle_timeout_ms / 1000,
            compaction=CompactionSettings(
                enabled=not options.no_compaction,
                reserve=options.compaction_reserve_tokens,
                keep_recent=options.compaction_keep_recent_tokens,
            ),
            caps=self.caps,
            write_locks=self._locks,
        )

    def close(self) -> None:
        """Close what is open towards the endpoint."""
        close = getattr(self.transport, "close", None)
        if close is not None:
            close()

    def _made(self, places: Places) -> Site:
        options = self.options
        notices: list[str] = []
        trusted = is_trusted(places, TrustStore(places.trust), notices, this_time=options.trust_project)
        workplace = Workplace(
            cwd=places.cwd,
            files=self._files,
            runner=self._runner,
            spill=self.spills,
            shell=options.bash_shell_path,
            bash_timeout=options.bash_timeout_ms / 1000,
        )
        tools = ToolRegistry(toolset(workplace, options.offered))
        prompt = load(places, options, tuple(tools), today=self._today, trusted=trusted)
        told = (*places.notices, *notices, *prompt.notices)
        return Site(places, workplace, tools, prompt._replace(notices=tuple(dict.fromkeys(told))))

    def __repr__(self) -> str:
        return f"<Harness model={self.options.model!r} sites={len(self._sites)}>"


def _with(tools: ToolRegistry, more: Iterable[Tool]) -> ToolRegistry:
    """Return a registry of its own with the tools of a site, whose schemas are compiled once, and `more`."""
    registry = ToolRegistry(tools)
    for each in more:
        registry.register(each)
    return registry
