"""`tools`: the definitions of the tools, as models get them."""

from __future__ import annotations

import sys

from beyond_agent.arguments import parse


def main(argv: list[str]) -> int:
    """Print how many there are, and their definitions as JSON, sorted by name."""
    parse("tools", "print the definitions of the tools, as models get them", argv, lambda _: None)
    import msgspec  # noqa: PLC0415 - usage errors need no tools

    from beyond_agent.machine.files import LocalFiles  # noqa: PLC0415 - as above
    from beyond_agent.machine.runner import LocalRunner  # noqa: PLC0415 - as above
    from beyond_agent.machine.spill import Spills  # noqa: PLC0415 - as above
    from beyond_agent.seams import Workplace  # noqa: PLC0415 - as above
    from beyond_agent.toolset import toolset  # noqa: PLC0415 - as above

    place = Workplace(cwd="/", files=LocalFiles(), runner=LocalRunner(), spill=Spills())
    tools = sorted(toolset(place), key=lambda each: each.name)
    rows = [{"name": each.name, "description": each.description, "input_schema": each.input_schema} for each in tools]
    text = msgspec.json.format(msgspec.json.encode(rows), indent=2).decode()
    sys.stdout.write(f"{len(rows)} tools:\n\n{text}\n")
    return 0
