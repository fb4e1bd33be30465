"""Rules of what a transport sends: where to, with which headers, how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from beyond_agent_core.testing.model_server_script import error_status
from beyond_agent_core.testing.transport_trial import KEY, MODELS, Trial, request_for
from beyond_agent_core.testing.turns import says
from beyond_wire.caps import caps_for
from beyond_wire.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from beyond_agent_core.testing.transport_trial import TransportFactory

_BASES: Final = {"": "", "/": "", "/v1": "", "/v1/": "", "/team": "/team", "/team/v1": "/team"}


async def posts_to_the_path(factory: TransportFactory) -> AsyncIterator[str]:
    """`POST {base_url}{dialect path}`; a `/` or `/v1` at the end of the base is not doubled."""
    for suffix, prefix in _BASES.items():
        for dialect in MODELS:
            async with Trial(factory, [says("hi")], suffix=suffix) as trial:
                await trial.ask(dialect)
                got = [f"{asked.method} {asked.path}" for asked in trial.server.requests]
                wanted = f"POST {prefix}{DIALECTS[dialect].path}"
                if got != [wanted]:
                    yield f"base {suffix!r}: {got}, not {wanted}"


async def sends_the_request(factory: TransportFactory) -> AsyncIterator[str]:
    """The body and the headers are the dialect's."""
    for dialect, model in MODELS.items():
        async with Trial(factory, [says("hi")]) as trial:
            await trial.ask(dialect)
            request, caps = request_for(dialect), caps_for(model)
            wanted = msgspec.json.decode(DIALECTS[dialect].encode(request, caps))
            for asked in trial.server.requests:
                if asked.json != wanted:
                    yield f"{dialect}: the body is {asked.json}, not {wanted}"
                missing = DIALECTS[dialect].headers(request, caps).items() - asked.headers.items()
                if missing:
                    yield f"{dialect}: headers {missing} are missing"


async def asks_for_the_key_each_time(factory: TransportFactory) -> AsyncIterator[str]:
    """The credentials are asked for each request, and go as a bearer token."""
    keys = iter((f"{KEY}-1", f"{KEY}-2"))
    async with Trial(factory, [says("hi"), says("hi")], credentials=lambda: next(keys)) as trial:
        await trial.ask()
        await trial.ask()
        got = [asked.headers.get("authorization") for asked in trial.server.requests]
        if got != [f"Bearer {KEY}-1", f"Bearer {KEY}-2"]:
            yield "two requests did not carry two keys"


async def asks_for_plain_bytes(factory: TransportFactory) -> AsyncIterator[str]:
    """`accept-encoding: identity`: a packed stream could only be read in arrears."""
    async with Trial(factory, [says("hi")]) as trial:
        await trial.ask()
        for asked in trial.server.requests:
            if asked.headers.get("accept-encoding") != "identity":
                yield f"accept-encoding is {asked.headers.get('accept-encoding')}"


async def makes_one_attempt(factory: TransportFactory) -> AsyncIterator[str]:
    """Whether to try again is the loop's affair."""
    async with Trial(factory, [error_status(503), says("hi")]) as trial:
        await trial.ask()
        if len(trial.server.requests) != 1:
            yield f"{len(trial.server.requests)} requests for one"


RULES = (posts_to_the_path, sends_the_request, asks_for_the_key_each_time, asks_for_plain_bytes, makes_one_attempt)
