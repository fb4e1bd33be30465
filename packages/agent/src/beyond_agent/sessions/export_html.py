"""A session as one page to read, send and keep: what was said on the active branch, from its beginning to its tip.

The page is whole in itself. It has no script and asks for nothing, and its policy forbids both, so that a hostile
transcript is only text even where `export_parts` were wrong. What a compaction folded is shown too, because nobody who
reads it has the model's window.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from beyond_agent.sessions.export_entries import Entries, tokens
from beyond_agent.sessions.export_parts import Parts
from beyond_agent.sessions.export_style import STYLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_agent.sessions.stored import StoredSession


def export_html(stored: StoredSession, *, secrets: Sequence[str] = ()) -> str:
    """Return the page of a session. Keys in it are masked: all that look like one, and `secrets`. Raises SessionIO.

    Messages that no checkpoint has written are not in it.
    """
    parts = Parts(secrets)
    title = parts.text(stored.title or "Untitled session")
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            '<meta name="referrer" content="no-referrer">\n',
            f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
            f"<header>\n<h1>{title}</h1>\n{_facts(stored, parts)}</header>\n<main>\n",
            *Entries(stored.book, parts),
            "</main>\n<footer>Exported by beyond-ai-agent.</footer>\n</body>\n</html>\n",
        ]
    )


def _policy() -> str:
    """Return a policy that allows this page's own style and the images in it, and nothing else."""
    from hashlib import sha256  # noqa: PLC0415 - only an export needs it

    style = b64encode(sha256(STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; form-action 'none'"


def _facts(stored: StoredSession, parts: Parts) -> str:
    tree, session = stored.book.outline.tree, stored.session
    rows = {
        "Session": stored.id,
        "Copied from": stored.parent,
        "Model": stored.model,
        "Directory": stored.cwd,
        "Began": stored.created_at,
        "Messages": str(tree.messages_to(tree.tip)),
        "Used": f"{session.steps} steps, {tokens(session.usage)}",
        "Last run": stored.last_outcome,
        "Damaged": str(stored.skipped),
    }
    named = (f"<dt>{name}</dt><dd>{parts.text(value)}</dd>\n" for name, value in rows.items() if value)
    return f"<dl>\n{''.join(named)}</dl>\n"
