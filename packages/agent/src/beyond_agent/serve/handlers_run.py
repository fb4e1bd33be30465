"""Commands that start work on a session, steer it, or end it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from beyond_agent.serve import work
from beyond_agent.serve.answers import Aborted, Accepted, Pending, PromptQueued, Queued
from beyond_agent.serve.connection import Later
from beyond_agent.serve.faults import CommandFault
from beyond_agent.serve.frames import Ack
from beyond_agent.serve.images import images_of
from beyond_agent_core.control import Control

if TYPE_CHECKING:
    from beyond_agent.serve import commands
    from beyond_agent.serve.connection import Connection
    from beyond_agent.serve.live import LiveSession
    from beyond_wire.types import ImageSource

T = TypeVar("T", bound=msgspec.Struct)


async def prompt(connection: Connection, command: commands.Prompt) -> Later | PromptQueued:
    """Ask the model; during other work the prompt waits in a lane, where that was asked for."""
    live = connection.live
    text, images = await _said(live, command)
    _must_serve(connection)
    if live.working:
        if command.streaming_behavior is None:
            text = f"{live.doing} is in progress; set streaming_behavior to steer or follow_up to join it"
            raise CommandFault("busy", text)
        put = live.control.steer if command.streaming_behavior == "steer" else live.control.follow_up
        put(text, images)
        connection.send(Ack(id=command.id, command="prompt"))
        return PromptQueued(queued=True)
    connection.send(Ack(id=command.id, command="prompt"))
    live.narrator.prompt_id = command.id
    said = "\n\n".join((*live.shell.take_notes(), text))
    return _end_of(live.begin("prompt", work.run(live, said, images)))


async def steer(connection: Connection, command: commands.Steer) -> Queued:
    """Say something that joins the next tool results, or the next prompt."""
    live = connection.live
    live.control.steer(*await _said(live, command))
    return Queued(queued=True, pending=live.control.pending().steers)


async def follow_up(connection: Connection, command: commands.FollowUp) -> Queued:
    """Say something for when the model has nothing more to do."""
    live = connection.live
    live.control.follow_up(*await _said(live, command))
    return Queued(queued=True, pending=live.control.pending().follow_ups)


async def abort(connection: Connection, _: commands.Abort) -> Later:
    """End what is done on the session; answered when it has unwound."""
    live = connection.live
    live.cancel()

    async def unwound() -> Pending:
        await live.unwound()
        return Pending(pending=sum(live.control.pending()))

    return Later(unwound)


async def abort_retry(connection: Connection, _: commands.AbortRetry) -> Aborted:
    """End a wait for a further attempt."""
    waits = connection.live.working and connection.live.narrator.retrying
    if waits:
        connection.live.control.abort_retry()
    return Aborted(aborted=waits)


async def stop_after_turn(connection: Connection, _: commands.StopAfterTurn) -> None:
    """End the run before its next model call."""
    connection.live.stop_after_turn()


async def compact(connection: Connection, command: commands.Compact) -> Later:
    """Make the history smaller now."""
    live = connection.live
    _must_serve(connection)
    return _end_of(live.begin("compact", work.compact(live, command.custom_instructions or "")))


async def switch_branch(connection: Connection, command: commands.SwitchBranch) -> Later:
    """Go on from another entry."""
    live = connection.live
    _must_serve(connection)
    live.stored.place_of(command.target_id, before=command.before)
    control = Control()
    moving = work.switch_branch(
        live,
        command.target_id,
        control,
        before=command.before,
        summarize=command.summarize,
        instructions=command.custom_instructions or "",
    )
    return _end_of(live.begin("switch_branch", moving, control))


async def bash(connection: Connection, command: commands.Bash) -> Later:
    """Run a command as a person would."""
    live = connection.live
    _must_serve(connection)
    given: dict[str, Any] = {"command": command.command}
    if command.cwd is not None:
        given["cwd"] = command.cwd
    if command.timeout_ms is not None:
        given["timeout_ms"] = command.timeout_ms
    return _end_of(live.shell.start(given, told=not command.exclude_from_context))


async def abort_bash(connection: Connection, _: commands.AbortBash) -> Aborted:
    """End that command."""
    return Aborted(aborted=connection.live.shell.abort())


async def approve(connection: Connection, command: commands.Approve) -> Accepted:
    """Answer a question; the first answer counts."""
    try:
        accepted = connection.live.approvals.answer(command.request_id, command.decision, command.scope)
    except KeyError:
        raise CommandFault("not_found", f"no question {command.request_id!r} is open in this session") from None
    return Accepted(accepted=accepted)


async def _said(
    live: LiveSession, command: commands.Prompt | commands.Steer | commands.FollowUp
) -> tuple[str, tuple[ImageSource, ...]]:
    """Return what a message comes to: a skill or template expanded, images checked. Raises CommandFault, UsageError."""
    if not command.message.strip() and not command.images:
        raise CommandFault("invalid_field", "invalid `message`: expected text")
    return live.site.prompt.shortcuts.expand(command.message), await images_of(command.images)


def _must_serve(connection: Connection) -> None:
    if connection.hub.stopping:
        raise CommandFault("busy", "the server is stopping: nothing new is begun")
    connection.live.must_be_ours()


def _end_of(task: asyncio.Task[T]) -> Later:
    """Return the answer that work comes to, which goes on where nobody waits for it any more."""
    return Later(lambda: asyncio.shield(task))
