"""`serve`: the protocol, on standard input and output or on a Unix socket.

Contract: agent contract, serve.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from beyond_agent.cli.starting import about_the_model, opened
from beyond_agent.flags import parser_for
from beyond_agent.startup import harness_for, here, read_options

if TYPE_CHECKING:
    from beyond_agent.harness import Harness, Site

_DESCRIPTORS: Final = 65_536
"""Open files that a server may have at most; more would be a leak."""
_USAGE: Final = "beyond-ai-agent serve [flags]"
_DESCRIBE: Final = """\
Keeps sessions for a program that writes commands and reads frames, one JSON object a line, on standard input and
output, or on a Unix socket that beyond-ai-agent attach joins, over SSH too. beyond-ai-agent schema prints the schema
of every command and frame.

The end of standard input ends the process, and a run in flight with it: keep it open until the answer is there. On a
socket a client that goes away ends nothing."""


def main(argv: list[str]) -> int:
    """Serve to the end; return the exit status. Raises CommandError."""
    from beyond_agent.serve.stdio import claim_stdout  # noqa: PLC0415 - first of all, before anything may print

    places = here(os.environ)
    options = read_options("serve", argv, parser_for("serve", _USAGE, _DESCRIBE), os.environ, places)
    stdout = claim_stdout() if options.listen_uds is None else None
    harness = harness_for(options, os.environ)
    site = harness.site(places.cwd)
    from asyncio import run  # noqa: PLC0415 - settings that are wrong need none of it

    return run(_serve(harness, site, stdout))


def _allow_descriptors() -> None:
    """Let each session have its file and its lease, each client its connection: the soft limit is 1,024 on most."""
    import resource  # noqa: PLC0415 - only a socket has many clients

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(harness: Harness, site: Site, stdout: int | None) -> int:
    store, first = opened(harness, site)
    try:
        chosen = harness.choice_for(first)
        for notice in (*site.prompt.notices, *about_the_model(harness, chosen.model)):
            os.write(2, f"[{notice}]\n".encode("utf-8", "replace"))
        if stdout is not None:
            from beyond_agent.serve.stdio import serve_stdio  # noqa: PLC0415 - one of two

            return await serve_stdio(harness, store, first, stdin=0, stdout=stdout, chosen=chosen)
        from beyond_agent.serve.uds import serve_uds  # noqa: PLC0415 - one of two

        _allow_descriptors()
        return await serve_uds(harness, store, first, harness.options.listen_uds or "", chosen=chosen)
    finally:
        first.close()
        harness.close()
