"""Everything looked at, at once: the whole takes as long as its slowest check, and no check may end another."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_gateway.dialer import client_context
from beyond_gateway.doctor import capacity, files
from beyond_gateway.doctor.bounded import in_thread
from beyond_gateway.doctor.deny_store import deny_store
from beyond_gateway.doctor.listeners import clash, listener
from beyond_gateway.doctor.providers import chosen, provider
from beyond_gateway.doctor.report import Check, fail, note
from beyond_gateway.doctor.settings import settings
from beyond_gateway.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from beyond_gateway.config import Config

PROGRESS_S: Final = 1.0
"""Seconds after which, and at which interval, somebody who watches is told what is still being waited for."""
_SLACK_S: Final = 1.0
"""What a check gets beyond its own limit, which words its answer better than this module could."""

_Found = Check | list[Check]


class Options(NamedTuple):
    """`timeout_s` bounds each check; `every` reaches providers without a pool key too."""

    timeout_s: float
    every: bool


async def examine(
    config: Config, path: Path | None, options: Options, waiting: Callable[[Sequence[str]], None]
) -> list[Check]:
    """Return all findings in a fixed order; `waiting` is called each second with the names of what is not done.

    Raises nothing but cancellation: a check that fails by itself is a failure in the list.
    """
    jobs: dict[str, Callable[[], Awaitable[_Found]]] = {}
    limit, same_port = options.timeout_s, clash(config.listen, config.metrics_listen)
    if path is not None:
        jobs["config file"] = lambda: in_thread(lambda: files.config_file(path))
    if config.nats_creds_file is not None:
        creds = config.nats_creds_file
        jobs["nats_creds_file"] = lambda: in_thread(lambda: files.creds_file(creds))
    jobs["listen"] = lambda: listener("listen", config.listen, limit)
    if not same_port:
        jobs["metrics_listen"] = lambda: listener("metrics_listen", config.metrics_listen, limit)
    jobs["nats"] = lambda: deny_store(config, limit)
    if config.snapshot_path is not None:
        snapshot = config.snapshot_path
        jobs["snapshot_path"] = lambda: in_thread(lambda: files.snapshot(snapshot))
    jobs |= _providers(config, options)
    jobs["host"] = lambda: in_thread(lambda: [capacity.open_files(), *capacity.host(config)])
    return [*settings(config, path), *same_port, *await _all(jobs, limit, waiting)]


def _providers(config: Config, options: Options) -> dict[str, Callable[[], Awaitable[_Found]]]:
    rows = chosen(config, every=options.every)
    if not rows:
        return {"providers": lambda: _done(note("providers", "none has a pool key; --all reaches every one"))}
    try:
        # The gateway's own context: what verifies here verifies there.
        context = client_context(config)
    except OperatorError as error:
        broken = fail("upstream_ca_file", str(error), "give a readable PEM file with certificates")
        return {"upstream_ca_file": lambda: _done(broken)}
    now = datetime.now(UTC).timestamp()
    return {f"provider {row.name}": lambda row=row: provider(row, context, options.timeout_s, now) for row in rows}


async def _done(check: Check) -> Check:
    return check


async def _all(
    jobs: dict[str, Callable[[], Awaitable[_Found]]], limit_s: float, waiting: Callable[[Sequence[str]], None]
) -> list[Check]:
    loop = asyncio.get_running_loop()
    tasks = {loop.create_task(_guarded(name, job, limit_s), name=name) for name, job in jobs.items()}
    order = sorted(tasks, key=lambda task: list(jobs).index(task.get_name()))
    pending = tasks
    while pending:
        _, pending = await asyncio.wait(pending, timeout=PROGRESS_S)
        if pending:
            waiting([task.get_name() for task in order if task in pending])
    return [check for task in order for check in task.result()]


async def _guarded(name: str, job: Callable[[], Awaitable[_Found]], limit_s: float) -> list[Check]:
    try:
        async with asyncio.timeout(limit_s + _SLACK_S):
            found = await job()
    except TimeoutError:
        return [fail(name, f"no answer within {limit_s:g} s", "try again with a longer --timeout")]
    except Exception as error:  # noqa: BLE001 - one check that breaks must not hide the others; its text may hold a secret
        return [fail(name, f"the check itself broke ({type(error).__name__})", "report it: this is a fault of doctor")]
    return found if isinstance(found, list) else [found]
