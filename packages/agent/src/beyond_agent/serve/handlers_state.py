"""Commands that say where a session stands, and those that choose what answers in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from beyond_agent.harness import Chosen
from beyond_agent.serve.answers import (
    Applied,
    Messages,
    Models,
    ModelSet,
    NamedCommand,
    NamedCommands,
    State,
    Stats,
    Text,
    ThinkingSet,
    Title,
)
from beyond_agent.serve.faults import CommandFault
from beyond_agent.serve.frames import SessionInfoChanged
from beyond_agent.serve.pages import page
from beyond_agent.serve.work import counts_of
from beyond_wire.types import TextBlock, ToolResultBlock, ToolUseBlock

if TYPE_CHECKING:
    from beyond_agent.serve import commands
    from beyond_agent.serve.connection import Connection
    from beyond_agent.serve.live import LiveSession


async def get_state(connection: Connection, _: commands.GetState) -> State:
    """Say where the session stands."""
    live = connection.live
    stored, queued = live.stored, live.control.queued()
    return State(
        session_id=live.id,
        model=live.chosen.model,
        title=stored.title,
        message_count=len(stored.session.messages),
        cwd=stored.cwd,
        thinking=thinking_of(live.chosen),
        is_streaming=live.running,
        is_compacting=live.narrator.compacting or (live.working and live.doing == "compact"),
        is_retrying=live.working and live.narrator.retrying,
        pending_messages=sum(live.control.pending()),
        steer_queue=queued.steers,
        follow_up_queue=queued.follow_ups,
        pending_approvals=live.approvals.pending,
        last_outcome=live.outcome_before if live.working else stored.last_outcome,
        session_file=stored.path,
        epoch=live.epoch,
        last_seq=live.frames.last_seq,
        **counts_of(stored.session),
    )


async def get_messages(connection: Connection, command: commands.GetMessages) -> Messages:
    """Return messages of the context."""
    stored = connection.live.stored
    entries = stored.messages_since(command.since)
    taken, more = page(entries, limit=command.limit, images=command.images)
    return Messages(messages=taken, leaf_id=stored.leaf_id, next=taken[-1]["id"] if more else None)


async def get_last_assistant_text(connection: Connection, _: commands.GetLastAssistantText) -> Text:
    """Return what the model said last."""
    for message in reversed(connection.live.stored.session.messages):
        text = "".join(block.text for block in message.content if isinstance(block, TextBlock))
        if message.role == "assistant" and text:
            return Text(text=text)
    return Text(text="")


async def get_session_stats(connection: Connection, _: commands.GetSessionStats) -> Stats:
    """Return counts of messages and tokens."""
    session = connection.live.stored.session
    blocks = [block for message in session.messages for block in message.content]
    roles = [message.role for message in session.messages]
    return Stats(
        user_messages=roles.count("user"),
        assistant_messages=roles.count("assistant"),
        tool_calls=sum(isinstance(block, ToolUseBlock) for block in blocks),
        tool_results=sum(isinstance(block, ToolResultBlock) for block in blocks),
        total_messages=len(roles),
        **counts_of(session),
    )


async def get_commands(connection: Connection, _: commands.GetCommands) -> NamedCommands:
    """Return what a prompt may name."""
    shortcuts = connection.live.site.prompt.shortcuts
    skills = [
        NamedCommand(
            name=f"skill:{each.name}", source="skill", description=each.description, scope=each.scope, path=each.path
        )
        for each in shortcuts.skills.values()
    ]
    templates = [
        NamedCommand(name=each.name, source="prompt", description=each.description, scope=each.scope, path=each.path)
        for each in shortcuts.templates.values()
    ]
    return NamedCommands(commands=skills + templates)


async def get_available_models(connection: Connection, _: commands.GetAvailableModels) -> Models:
    """Return ids of models that are known."""
    return Models(models=connection.hub.harness.models())


async def set_model(connection: Connection, command: commands.SetModel) -> ModelSet:
    """Have another model answer."""
    if not command.model.strip():
        raise CommandFault("invalid_field", "invalid `model`: expected the id of a model")
    live = connection.live
    live.must_be_ours()
    live.stored.change_model(command.model)
    applied = _choose(live, msgspec.structs.replace(live.chosen, model=command.model))
    return ModelSet(model=command.model, applied=applied)


async def set_thinking(connection: Connection, command: commands.SetThinking) -> ThinkingSet:
    """Set how much the model thinks."""
    live = connection.live
    if command.budget is msgspec.UNSET and command.effort is None:
        raise CommandFault("missing_field", "missing `budget`")
    if command.budget is not msgspec.UNSET and command.effort is not None:
        raise CommandFault("invalid_field", "invalid `effort`: expected it without `budget`")
    if command.effort is not None:
        chosen = Chosen(model=live.chosen.model, level=command.effort)
    elif command.budget is None or command.budget is msgspec.UNSET:
        chosen = Chosen(model=live.chosen.model, level="off")
    else:
        chosen = Chosen(model=live.chosen.model, budget=command.budget)
    live.must_be_ours()
    live.stored.change_thinking(chosen.thinking)
    return ThinkingSet(thinking=thinking_of(chosen), applied=_choose(live, chosen))


async def set_session_name(connection: Connection, command: commands.SetSessionName) -> Title:
    """Give the session a title, and tell all who are attached."""
    live = connection.live
    live.must_be_ours()
    title = live.stored.rename(command.title)
    live.frames.send(lambda seq: live.narrator.line(SessionInfoChanged(id=command.id, title=title, seq=seq)))
    return Title(title=title)


def thinking_of(chosen: Chosen) -> int | str | None:
    """Return how much a choice thinks: a budget, an effort, or None where thinking is off."""
    return None if chosen.thinking == "off" else chosen.thinking


def _choose(live: LiveSession, chosen: Chosen) -> Applied:
    """Have the session go on with a choice: at once, or from the next turn of its run."""
    live.chosen = chosen
    if not live.running:
        return "now"
    effort = None if chosen.budget is not None else live.harness.caps(chosen.model).effort(chosen.level)
    live.control.switch_model(chosen.model, chosen.budget, effort)
    return "next_turn"
