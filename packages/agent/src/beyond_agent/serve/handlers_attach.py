"""`attach`: the frames of a session, from where a client has left off or from where the session stands, then live.

What is sent again, the response, and what follows are joined without a wait between, so that no frame is lost, doubled,
or sent between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_agent.serve.answers import Attached, CatchupData
from beyond_agent.serve.frames import Catchup
from beyond_agent.serve.pages import newest

if TYPE_CHECKING:
    from beyond_agent.serve import commands
    from beyond_agent.serve.connection import Connection
    from beyond_agent.serve.live import LiveSession
    from beyond_agent.serve.numbered import Held


async def attach(connection: Connection, command: commands.Attach) -> Attached:
    """Be bound to a session, and get its numbered frames."""
    if command.session_id is not None and command.session_id != connection.live.id:
        # What waits in the session that is left stays there: only those commands drop it whose answers say so.
        connection.move(await connection.hub.load(command.session_id, takeover=command.takeover))
    elif command.takeover and connection.live.stored.superseded:
        connection.move(await connection.hub.load(connection.live.id, takeover=True))
    live = connection.live
    missed = _missed(live, command)
    if missed is None:
        again = live.frames.from_start_of_run(live.first_of_run) if live.working else []
        connection.send(_catchup(live, again))
    else:
        again = list(missed)
    for held in again:
        connection.resend(held)
    connection.attach()
    return Attached(
        session_id=live.id,
        epoch=live.epoch,
        replayed=len(again),
        last_seq=live.frames.last_seq,
        gap=missed is None,
    )


def _missed(live: LiveSession, command: commands.Attach) -> list[Held] | None:
    """Return the frames that the client has not had; None where that cannot be said, or they are gone."""
    if command.since is None or command.epoch not in (None, live.epoch):
        return None
    held = live.frames.after(command.since)
    return None if held is None else list(held)


def _catchup(live: LiveSession, again: list[Held]) -> Catchup:
    """Return where the session stands: the newest messages that fit a frame."""
    messages, left_out = newest(live.stored.messages_since())
    first = again[0].seq if again else live.frames.last_seq + 1
    return Catchup(
        data=CatchupData(messages=messages, leaf_id=live.stored.leaf_id, omitted=left_out),
        turn_in_flight=live.working,
        turn_truncated=live.working and first > live.first_of_run,
    )
