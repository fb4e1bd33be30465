"""What `serve` reads: one JSON object a line, told apart by `type`; unknown fields are ignored.

A command class is the whole truth about its fields: parsing, the published schema and the list of capabilities come
from it. Contract: agent contract, serve: commands.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias, cast

import msgspec

from beyond_agent.serve.frames import CommandId, Decision, Scope
from beyond_wire.types import Effort

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
Positive: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Any of them. `during_run` says that it is taken while a run is in progress."""

    during_run: ClassVar[bool] = True

    id: CommandId | None = None


class PromptImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image beside a text: `data` is base64."""

    media_type: str
    data: str


class Prompt(Command, frozen=True, kw_only=True, tag="prompt"):
    """Ask the model; during a run `streaming_behavior` says how it joins."""

    message: str
    images: tuple[PromptImage, ...] = ()
    streaming_behavior: Literal["steer", "follow_up"] | None = None


class Steer(Command, frozen=True, kw_only=True, tag="steer"):
    """Say something that joins the next tool results."""

    message: str
    images: tuple[PromptImage, ...] = ()


class FollowUp(Command, frozen=True, kw_only=True, tag="follow_up"):
    """Say something for when the model has nothing more to do."""

    message: str
    images: tuple[PromptImage, ...] = ()


class Abort(Command, frozen=True, kw_only=True, tag="abort"):
    """End the run; answered when it has unwound."""


class AbortRetry(Command, frozen=True, kw_only=True, tag="abort_retry"):
    """End a wait for a further attempt with the fault that was to be retried."""


class StopAfterTurn(Command, frozen=True, kw_only=True, tag="stop_after_turn"):
    """End the run before its next model call."""


class GetState(Command, frozen=True, kw_only=True, tag="get_state"):
    """Say where the session stands."""


class GetMessages(Command, frozen=True, kw_only=True, tag="get_messages"):
    """Return messages of the context, those after `since`, `limit` at a time; images only where asked for."""

    since: str | None = None
    limit: Positive | None = None
    images: bool = False


class GetLastAssistantText(Command, frozen=True, kw_only=True, tag="get_last_assistant_text"):
    """Return what the model said last."""


class GetSessionStats(Command, frozen=True, kw_only=True, tag="get_session_stats"):
    """Return counts of messages and tokens."""


class GetCommands(Command, frozen=True, kw_only=True, tag="get_commands"):
    """Return the skills and prompt templates that a prompt may name."""


class GetAvailableModels(Command, frozen=True, kw_only=True, tag="get_available_models"):
    """Return models that are known; others work too."""


class SetModel(Command, frozen=True, kw_only=True, tag="set_model"):
    """Have another model answer."""

    model: str


class SetThinking(Command, frozen=True, kw_only=True, tag="set_thinking"):
    """Set how much the model may think: a `budget` in tokens, null for none, or an `effort`."""

    budget: Positive | msgspec.UnsetType | None = msgspec.UNSET
    effort: Effort | None = None


class Compact(Command, frozen=True, kw_only=True, tag="compact"):
    """Make the history smaller now."""

    during_run: ClassVar[bool] = False

    custom_instructions: str | None = None


class NewSession(Command, frozen=True, kw_only=True, tag="new_session"):
    """Begin another session, and be bound to it."""

    during_run: ClassVar[bool] = False

    parent_session: str | None = None


class ListSessions(Command, frozen=True, kw_only=True, tag="list_sessions"):
    """List stored sessions, newest first."""

    query: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50
    offset: Count = 0


class SwitchSession(Command, frozen=True, kw_only=True, tag="switch_session"):
    """Be bound to another session, by id or unique prefix."""

    during_run: ClassVar[bool] = False

    session_id: str
    takeover: bool = False


class Fork(Command, frozen=True, kw_only=True, tag="fork"):
    """Copy the session up to a point, and be bound to the copy."""

    during_run: ClassVar[bool] = False

    upto: Count | None = None
    target_id: str | None = None
    before: bool = False


class Clone(Command, frozen=True, kw_only=True, tag="clone"):
    """Copy the whole session, and be bound to the copy."""

    during_run: ClassVar[bool] = False


class SetSessionName(Command, frozen=True, kw_only=True, tag="set_session_name"):
    """Give the session a title."""

    title: str


class ListBranches(Command, frozen=True, kw_only=True, tag="list_branches"):
    """List the tips of the session's tree."""


class GetTree(Command, frozen=True, kw_only=True, tag="get_tree"):
    """Return the session's tree, nodes after `since`."""

    since: str | None = None


class SwitchBranch(Command, frozen=True, kw_only=True, tag="switch_branch"):
    """Go on from another entry; what is left behind is summarised for the model unless told otherwise."""

    during_run: ClassVar[bool] = False

    target_id: str
    before: bool = False
    summarize: bool = True
    custom_instructions: str | None = None


class SetLabel(Command, frozen=True, kw_only=True, tag="set_label"):
    """Name an entry; null takes the name away."""

    target_id: str
    label: str | None


class GetLabel(Command, frozen=True, kw_only=True, tag="get_label"):
    """Return the name of an entry."""

    target_id: str


class DeleteSession(Command, frozen=True, kw_only=True, tag="delete_session"):
    """Move a session to the trash."""

    session_id: str


class ListTrash(Command, frozen=True, kw_only=True, tag="list_trash"):
    """List what is in the trash."""


class RestoreSession(Command, frozen=True, kw_only=True, tag="restore_session"):
    """Take a session out of the trash."""

    session_id: str


class Bash(Command, frozen=True, kw_only=True, tag="bash"):
    """Run a command as a person would; the model sees it with the next prompt unless it is excluded."""

    command: str
    cwd: str | None = None
    timeout_ms: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None
    exclude_from_context: bool = False


class AbortBash(Command, frozen=True, kw_only=True, tag="abort_bash"):
    """End that command."""


class ExportHtml(Command, frozen=True, kw_only=True, tag="export_html"):
    """Write the session as a page."""

    output_path: str | None = None


class Approve(Command, frozen=True, kw_only=True, tag="approve"):
    """Say whether a call may run; the first answer counts."""

    request_id: str
    decision: Decision
    scope: Scope = "once"


class Attach(Command, frozen=True, kw_only=True, tag="attach"):
    """Get the numbered frames of a session, from behind `since` on where they are still held."""

    session_id: str | None = None
    since: Count | None = None
    epoch: str | None = None
    takeover: bool = False


def _all() -> dict[str, type[Command]]:
    return {str(kind.__struct_config__.tag): kind for kind in Command.__subclasses__()}


COMMANDS = _all()
"""Every command by its name, in the order of the contract."""


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is no command: what its response says."""

    id: CommandId | None = None
    command: str = "?"
    code: Literal["invalid_json", "unknown_command", "missing_field", "invalid_field"]
    error: str


def parse(line: bytes) -> Command | Rejected:
    """Return the command on a line, or why there is none, naming the first field that is wrong."""
    try:
        given: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejected(code="invalid_json", error=f"invalid JSON: {error}")
    if not isinstance(given, dict):
        return Rejected(code="invalid_json", error="invalid JSON: expected an object")
    return _command(cast("dict[str, Any]", given))


def _command(given: dict[str, Any]) -> Command | Rejected:
    name, told = given.get("type"), given.get("id")
    called = told if isinstance(told, str | int) and not isinstance(told, bool) else None
    if not isinstance(name, str):
        code, text = ("invalid_field", "expected `str`") if "type" in given else ("missing_field", "")
        return Rejected(id=called, code=code, error=f"invalid `type`: {text}" if text else "missing `type`")
    kind = COMMANDS.get(name)
    if kind is None:
        return Rejected(id=called, command=name, code="unknown_command", error="unknown command")
    taken: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in given:
            if field.required:
                return Rejected(id=called, command=name, code="missing_field", error=f"missing `{field.encode_name}`")
            continue
        try:
            taken[field.name] = msgspec.convert(given[field.encode_name], field.type)
        except msgspec.ValidationError as error:
            text = f"invalid `{field.encode_name}`: {str(error).replace('Expected', 'expected', 1)}"
            return Rejected(id=called, command=name, code="invalid_field", error=text)
    return kind(**taken)
