"""`beyond-ai-agent`: finds the command and runs it. Each is imported when it is asked for, because start-up is felt."""

from __future__ import annotations

import os
import sys
from errno import ENOSPC
from typing import Final

from beyond_agent import __version__

COMMANDS: Final = {
    "run": "do one job in this directory",
    "serve": "keep sessions for a program that speaks JSON lines",
    "attach": "join standard input and output to a serving socket",
    "sessions": "list stored sessions",
    "tools": "print the definitions of the tools",
    "schema": "print the JSON schema of the protocol",
    "trust": "let a project change what the agent does",
    "untrust": "take that back",
}
_OBJECTS: Final = 50_000
"""New objects between two looks for garbage; a start makes fewer."""
_USAGE: Final = """usage: beyond-ai-agent COMMAND [...]

A headless coding agent.

commands:
{commands}

  beyond-ai-agent COMMAND --help says what each takes.

options:
  --version  print the version
  --help     print this

environment:
  AI_GATEWAY_URL  base URL of the gateway (http://ai.internal)
  AI_AGENT_KEY    virtual key for it
  AI_AGENT_MODEL  id of the model
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command that `argv` names; return the exit status. Without `argv` this is the program itself."""
    if argv is None:
        _have_three_streams()
    words = sys.argv[1:] if argv is None else argv
    command, rest = (words[0], words[1:]) if words else ("", [])
    if command in ("--version", "-V"):
        return _printed(f"beyond-ai-agent {__version__}\n")
    if command in ("--help", "-h", "help"):
        return _printed(_usage())
    if command not in COMMANDS:
        return _unknown(command)
    return _run(command, rest) if argv is not None else _run_alone(command, rest)


def _have_three_streams() -> None:
    """Open what a parent has closed: else the next file that is opened, a session, gets what is printed."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - its only form
            setattr(sys, name, open(descriptor, "r+" if descriptor else "r", closefd=False))  # noqa: SIM115 - to the end


def _run_alone(command: str, rest: list[str]) -> int:
    """Run a command in a process of its own, in which garbage is looked for where there may be some."""
    import gc  # noqa: PLC0415 - --version does not need it

    # What is imported stays: to look for garbage in it every 700 objects takes 8 ms of the start.
    gc.set_threshold(_OBJECTS)
    try:
        return _run(command, rest)
    finally:
        # Python looks once more at its exit, in all that was ever imported: 16 ms for nothing.
        gc.freeze()


def _run(command: str, rest: list[str]) -> int:
    from importlib import import_module  # noqa: PLC0415 - --version does not need it

    from beyond_agent.errors import CommandError  # noqa: PLC0415 - as above

    try:
        status: int = import_module(f"beyond_agent.cli.{command}").main(rest)
        sys.stdout.flush()
    except CommandError as error:
        _complain(str(error))
        return error.status
    except KeyboardInterrupt:
        _complain("[cancelled]")
        return 130
    except OSError as error:
        return _unwritten(error)
    return status


def _printed(text: str) -> int:
    try:
        print(text, end="", flush=True)  # noqa: T201 - what was asked for
    except OSError as error:
        return _unwritten(error)
    return 0


def _unwritten(error: OSError) -> int:
    """Return the status of a command whose stdout takes no more. Raises other errors again."""
    if not isinstance(error, BrokenPipeError) and error.errno != ENOSPC:
        raise error
    # Python would complain of it once more at its exit.
    sys.stdout = None
    if isinstance(error, BrokenPipeError):
        return 0
    _complain("cannot write standard output: no space left on the device")
    return 1


def _unknown(command: str) -> int:
    from difflib import get_close_matches  # noqa: PLC0415 - as above

    if not command:
        _complain("no command: say which, as in beyond-ai-agent run; beyond-ai-agent --help lists them")
        return 2
    near = get_close_matches(command, COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else "beyond-ai-agent --help lists them"
    _complain(f"there is no command {command!r}; {hint}")
    return 2


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = (f"  {name:<{width}}  {does}" for name, does in COMMANDS.items())
    return _USAGE.format(commands="\n".join(lines))


def _complain(line: str) -> None:
    prefix = "" if line.startswith("[") else "beyond-ai-agent: "
    try:
        print(prefix + line.replace("\n", " "), file=sys.stderr, flush=True)  # noqa: T201 - stderr is for faults
    except OSError:
        # The status says it too; Python would complain at its exit.
        sys.stderr = None


if __name__ == "__main__":
    sys.exit(main())
