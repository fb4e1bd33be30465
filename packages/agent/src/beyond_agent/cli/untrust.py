"""`untrust`: take the trust in a project back."""

from __future__ import annotations

from beyond_agent.arguments import parse
from beyond_agent.cli.trust import decide


def main(argv: list[str]) -> int:
    """Trust a directory no more, nor what is below it, whatever is said of those above."""
    told = parse(
        "untrust",
        "leave out the prompt, skills, templates and settings of the projects below a directory",
        argv,
        lambda parser: parser.add_argument("path", nargs="?", help="directory; by default this project's"),
    )
    return decide(told.path, trusted=False)
