"""`trust` and `untrust`: which projects may change what the agent does."""

from __future__ import annotations

import os

from beyond_agent.arguments import parse
from beyond_agent.cli.printing import print_line
from beyond_agent.errors import UsageError
from beyond_agent.prompt.texts import shown
from beyond_agent.prompt.trust import TrustStore
from beyond_agent.startup import here_told


def main(argv: list[str]) -> int:
    """Trust a directory and what is below it, or list those that are named."""
    told = parse(
        "trust",
        "read the prompt, skills, templates and settings of the projects below a directory",
        argv,
        lambda parser: (
            parser.add_argument("path", nargs="?", help="directory; by default this project's"),
            parser.add_argument("--list", action="store_true", help="print what is trusted and what is not"),
        ),
    )
    if told.list:
        if told.path is not None:
            raise UsageError("--list: takes no PATH; it lists them all")
        for directory, trusted in TrustStore(here_told(os.environ).trust).projects().items():
            print_line(f"{'trusted' if trusted else 'untrusted'}  {shown(directory)}")
        return 0
    return decide(told.path, trusted=True)


def decide(path: str | None, *, trusted: bool) -> int:
    """Remember about a directory whether it is trusted, and say so."""
    places = here_told(os.environ)
    directory = places.project if path is None else os.path.expanduser(path)  # noqa: PTH111 - paths are text here
    store = TrustStore(places.trust)
    if not os.path.isdir(directory) and (trusted or os.path.realpath(directory) not in store.projects()):  # noqa: PTH112 - as above
        raise UsageError(f"PATH: there is no directory {path!r}")
    real = store.set(directory, trusted=trusted)
    print_line(f"{'trusted' if trusted else 'untrusted'}: {shown(real)}")
    return 0
