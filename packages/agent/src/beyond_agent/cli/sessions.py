"""`sessions`: the stored sessions of this directory, newest first."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from beyond_agent.arguments import parse
from beyond_agent.cli.printing import print_line
from beyond_agent.errors import AgentFault
from beyond_agent.job.output import inert
from beyond_agent.startup import here_told, settled

if TYPE_CHECKING:
    import argparse

    from beyond_agent.sessions.listing import Listed

_MOST_TITLE: Final = 60


def main(argv: list[str]) -> int:
    """Print them: a line each for people, or JSON."""
    told = parse("sessions", "list the stored sessions of this directory, newest first", argv, _arguments)
    import msgspec  # noqa: PLC0415 - usage errors need none of it

    from beyond_agent.opening import store_for  # noqa: PLC0415 - as above
    from beyond_agent.sessions.errors import SessionError  # noqa: PLC0415 - as above

    places = here_told(os.environ)
    given = {} if told.session_dir is None else {"session_dir": told.session_dir}
    store = store_for(settled("sessions", given, os.environ, places), places)
    try:
        page = store.list_sessions(cwd=None if told.all else places.cwd)
    except SessionError as error:
        raise AgentFault(error.code, str(error)) from None
    if told.json:
        print_line(msgspec.json.encode(page.sessions).decode())
        return 0
    for each in page.sessions:
        print_line(_line(each, with_cwd=told.all))
    if not page.sessions:
        where = "" if told.all else "; --all lists those of other directories"
        sys.stderr.write(f"no sessions{where}\n")
    return 0


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="those of every directory")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--session-dir", metavar="PATH", help="where they are kept (AI_AGENT_SESSION_DIR)")


def _line(each: Listed, *, with_cwd: bool) -> str:
    messages = "message" if each.message_count == 1 else "messages"
    count = "" if each.message_count is None else f"{each.message_count} {messages}"
    title = each.title or each.preview or ""
    shown = title if len(title) <= _MOST_TITLE else title[: _MOST_TITLE - 1] + "…"
    parts = [each.id, _local(each.updated_at), f"{count:>13}", shown, *([each.cwd] if with_cwd else [])]
    # A directory's name, or a title in a file that somebody else wrote, may hold what acts on a terminal.
    return inert("  ".join(parts)).rstrip()


def _local(timestamp: str) -> str:
    """Return a time as the clock on the wall shows it."""
    from datetime import datetime  # noqa: PLC0415 - usage errors need none of it

    try:
        return datetime.fromisoformat(timestamp).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):
        # A file that somebody else wrote.
        return timestamp[:16].replace("T", " ")
