"""`attach`: standard input and output, joined to a socket that `serve` listens on."""

from __future__ import annotations

from beyond_agent.arguments import parse

_DOES = (
    "Joins standard input and output to the socket of beyond-ai-agent serve --listen-uds PATH, line by line, so that "
    "ssh HOST beyond-ai-agent attach PATH reaches a session without an open port. When it ends, the run goes on."
)


def main(argv: list[str]) -> int:
    """Pass lines on until either side ends. Raises AgentFault where nobody serves."""
    told = parse("attach", _DOES, argv, lambda parser: parser.add_argument("path", help="path of the socket"))
    from asyncio import run  # noqa: PLC0415 - usage errors need none of it

    from beyond_agent.serve.attach import attach  # noqa: PLC0415 - as above

    return run(attach(told.path, stdin=0, stdout=1))
