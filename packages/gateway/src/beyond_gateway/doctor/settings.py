"""What the configuration itself says: its warnings, the signing keys, the pool keys. Counts and names, never a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_gateway.doctor.report import Check, fail, note, ok
from beyond_gateway.providers import build_table

if TYPE_CHECKING:
    from pathlib import Path

    from beyond_gateway.config import Config

_DEFAULT_MEND = "correct it there; config.example.toml documents every key"


def not_loaded(text: str) -> list[Check]:
    """Return the findings for a configuration that `config_load.load` refused with this text, which has its place."""
    what, _, hint = text.partition("; ")
    skipped = "skipped: keys, addresses, NATS, providers, snapshot need a configuration that loads"
    return [fail("config", what, hint or _DEFAULT_MEND), note("the rest", skipped)]


def settings(config: Config, path: Path | None) -> list[Check]:
    """Return the findings about a configuration that loaded from `path`, or from the environment alone."""
    where = f"{path} loads" if path else "no file given (-c FILE): defaults and AI_* variables load"
    warnings = [note("config", line) for line in config.warnings()]
    return [ok("config", where), *warnings, _signing_keys(config), _pool_keys(config)]


def _signing_keys(config: Config) -> Check:
    kids = sorted(config.signing_keys)
    if not kids:
        return note("signing keys", "none: make one with `beyond-ai keygen` before keys are given out")
    return ok("signing keys", f"{len(kids)}, kid {', '.join(map(str, kids))}")


def _pool_keys(config: Config) -> Check:
    names = [row.name for row in build_table(config).values()]
    present = [f"{name} ({len(config.pool_keys[name])})" for name in names if config.pool_keys.get(name)]
    absent = ", ".join(name for name in names if not config.pool_keys.get(name))
    if not present:
        return note(
            "pool keys", "none set; AI_POOL_KEY_OPENAI and the like, or [pool_keys], give managed keys a provider"
        )
    return ok("pool keys", f"{', '.join(present)}" + (f"; not set: {absent}" if absent else ""))
