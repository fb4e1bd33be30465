"""`schema`: the protocol of `serve` as JSON Schema."""

from __future__ import annotations

import sys

from beyond_agent.arguments import parse


def main(argv: list[str]) -> int:
    """Print it."""
    parse("schema", "print the JSON Schema (2020-12) of every command, frame and event of serve", argv, lambda _: None)
    import msgspec  # noqa: PLC0415 - usage errors need none of it

    from beyond_agent.serve.schema import schema  # noqa: PLC0415 - as above

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode() + "\n")
    return 0
