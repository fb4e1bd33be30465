"""Commands about sessions as a whole: listed, made, copied, left for another, deleted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from beyond_agent.serve.answers import Dropped, Exported, ListedSession, SessionChosen, SessionId, Sessions, Trash
from beyond_agent.serve.faults import CommandFault
from beyond_agent.sessions.errors import NoSessionStore, NotFound

if TYPE_CHECKING:
    from beyond_agent.serve import commands
    from beyond_agent.serve.connection import Connection
    from beyond_agent.serve.hub import Hub
    from beyond_agent.serve.live import LiveSession
    from beyond_agent.sessions.listing import Listed


async def list_sessions(connection: Connection, command: commands.ListSessions) -> Sessions:
    """List stored sessions, newest first."""
    hub = connection.hub
    found = await asyncio.to_thread(
        hub.store.list_sessions, query=command.query, limit=command.limit, offset=command.offset
    )
    return Sessions(sessions=[_listed(hub, each) for each in found.sessions], total=found.total)


async def new_session(connection: Connection, command: commands.NewSession) -> SessionChosen:
    """Begin another session, in the directory of this one and with its model."""
    hub, old = connection.hub, connection.live
    live = await hub.made(
        lambda: hub.store.create(old.stored.cwd, old.chosen.model, parent=command.parent_session), old.chosen
    )
    return moved(connection, live)


async def switch_session(connection: Connection, command: commands.SwitchSession) -> SessionChosen:
    """Be bound to another session."""
    return moved(connection, await connection.hub.load(command.session_id, takeover=command.takeover))


async def fork(connection: Connection, command: commands.Fork) -> SessionChosen:
    """Copy the session up to a point, and be bound to the copy."""
    if command.upto is not None and command.target_id is not None:
        raise CommandFault("invalid_field", "invalid `upto`: expected it without `target_id`")
    if command.before and command.target_id is None:
        raise CommandFault("missing_field", "missing `target_id`")
    return await _copied(connection, upto=command.upto, target_id=command.target_id, before=command.before)


async def clone(connection: Connection, _: commands.Clone) -> SessionChosen:
    """Copy the whole session, and be bound to the copy."""
    return await _copied(connection)


async def delete_session(connection: Connection, command: commands.DeleteSession) -> SessionId:
    """Move a session to the trash; one that is there already stays there."""
    hub = connection.hub
    try:
        path = await asyncio.to_thread(hub.store.find, command.session_id)
    except NotFound:
        path = None
    if hub.is_live(command.session_id) or (path is not None and hub.has(path)):
        raise CommandFault("busy", f"session {command.session_id!r} is open here: leave it first")
    return SessionId(session_id=await asyncio.to_thread(hub.store.delete, command.session_id))


async def list_trash(connection: Connection, _: commands.ListTrash) -> Trash:
    """List what is in the trash."""
    hub = connection.hub
    return Trash(sessions=[_listed(hub, each) for each in await asyncio.to_thread(hub.store.list_trash)])


async def restore_session(connection: Connection, command: commands.RestoreSession) -> SessionId:
    """Take a session out of the trash."""
    return SessionId(session_id=await asyncio.to_thread(connection.hub.store.restore, command.session_id))


async def export_html(connection: Connection, command: commands.ExportHtml) -> Exported:
    """Write the session as a page: where that was said, else beside its file."""
    stored = connection.live.stored
    if command.output_path is not None:
        from beyond_agent.tools.paths import resolve  # noqa: PLC0415 - few sessions need it

        path = resolve(command.output_path, stored.cwd)
    elif stored.path is not None:
        path = f"{stored.path.removesuffix('.jsonl')}.html"
    else:
        raise NoSessionStore("choose a place for the page; set output_path")
    await asyncio.to_thread(_write_page, connection.live, path)
    return Exported(path=path)


def moved(connection: Connection, live: LiveSession) -> SessionChosen:
    """Bind a connection to another session; return what was dropped with the one that it leaves.

    A run goes on, and keeps what waits for it; so does a session that others are bound to.
    """
    old = connection.live
    stays = old is live or old.working or len(old.holders) > 1
    dropped = Dropped() if stays else old.leave()
    connection.move(live)
    return SessionChosen(session_id=live.id, dropped=dropped)


async def _copied(
    connection: Connection, *, upto: int | None = None, target_id: str | None = None, before: bool = False
) -> SessionChosen:
    hub, old = connection.hub, connection.live
    live = await hub.made(lambda: hub.store.fork(old.stored, target_id=target_id, before=before, upto=upto), old.chosen)
    return moved(connection, live)


def _listed(hub: Hub, each: Listed) -> ListedSession:
    return ListedSession(
        id=each.id,
        title=each.title,
        cwd=each.cwd,
        model=each.model,
        created_at=each.created_at,
        updated_at=each.updated_at,
        message_count=each.message_count,
        preview=each.preview,
        parent=each.parent,
        live=hub.is_live(each.id),
    )


def _write_page(live: LiveSession, path: str) -> None:
    from beyond_agent.sessions.export_html import export_html as page_of  # noqa: PLC0415 - few sessions need it

    text = page_of(live.stored, secrets=live.harness.secrets)
    live.site.workplace.files.replace(path, text.encode("utf-8", "replace"))
