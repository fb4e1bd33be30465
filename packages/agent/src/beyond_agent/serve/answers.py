"""What responses carry in `data`, by command. Fields are wire format (agent contract, serve: commands)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from beyond_agent_core.events import Outcome


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What a session has used; tokens as the providers count them."""

    steps: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    last_input_tokens: int


class PromptDone(Counts, frozen=True, kw_only=True):
    """How a run ended."""

    outcome: Outcome
    stop_reason: str | None
    refused: bool


class PromptQueued(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that joins the run in progress."""

    queued: bool


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """A message that waits with `pending` others and itself."""

    queued: bool
    pending: int


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that still wait."""

    pending: int


class Aborted(msgspec.Struct, frozen=True, kw_only=True):
    """Whether there was something to end."""

    aborted: bool


class PendingApproval(msgspec.Struct, frozen=True, kw_only=True):
    """A call that waits for an answer."""

    request_id: str
    tool: str
    summary: str
    scope_key: str


class State(Counts, frozen=True, kw_only=True):
    """Where a session stands."""

    session_id: str
    model: str
    title: str | None
    message_count: int
    cwd: str
    thinking: int | str | None
    is_streaming: bool
    is_compacting: bool
    is_retrying: bool
    pending_messages: int
    steer_queue: tuple[str, ...]
    follow_up_queue: tuple[str, ...]
    pending_approvals: tuple[PendingApproval, ...]
    last_outcome: str | None
    session_file: str | None
    epoch: str
    last_seq: int


class Messages(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Messages of the context, each with the id of its entry; `next` asks for those that follow."""

    messages: list[dict[str, Any]]
    leaf_id: str | None
    next: str | None = None


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A text."""

    text: str


class Stats(Counts, frozen=True, kw_only=True):
    """Counts of a session's context."""

    user_messages: int
    assistant_messages: int
    tool_calls: int
    tool_results: int
    total_messages: int


class NamedCommand(msgspec.Struct, frozen=True, kw_only=True):
    """What a prompt may name by `/name`."""

    name: str
    source: Literal["skill", "prompt"]
    description: str
    scope: str
    path: str


class NamedCommands(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    commands: list[NamedCommand]


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """Ids of models: a hint, not a list of what is allowed."""

    models: list[str]


Applied = Literal["now", "next_turn"]


class ModelSet(msgspec.Struct, frozen=True, kw_only=True):
    """The model that answers from then on."""

    model: str
    applied: Applied


class ThinkingSet(msgspec.Struct, frozen=True, kw_only=True):
    """How much it thinks: a budget, an effort, or nothing."""

    thinking: int | str | None
    applied: Applied


class CompactDone(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a compaction."""

    compacted: bool
    reason: str
    summary: str = ""
    tokens_before: int = 0
    tokens_after: int = 0
    first_kept_entry_id: str | None = None


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """What a session had waiting that was left."""

    steers: int = 0
    follow_ups: int = 0
    approvals: int = 0


class SessionChosen(msgspec.Struct, frozen=True, kw_only=True):
    """The session that the connection is bound to now, and what was dropped with the one that it left."""

    session_id: str
    dropped: Dropped = Dropped()


class BranchChosen(msgspec.Struct, frozen=True, kw_only=True):
    """The entry that the session goes on from."""

    target_id: str
    dropped: Dropped = Dropped()


class ListedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A stored session; None is what its file did not show at a glance."""

    id: str
    title: str | None
    cwd: str
    model: str | None
    created_at: str
    updated_at: str
    message_count: int | None
    preview: str | None
    parent: str | None
    live: bool


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """A page of sessions out of `total`."""

    sessions: list[ListedSession]
    total: int


class Title(msgspec.Struct, frozen=True, kw_only=True):
    """The title of a session."""

    title: str


class Branch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tip of the tree."""

    leaf_id: str
    active: bool
    message_count: int
    preview: str
    label: str | None = None


class Branches(msgspec.Struct, frozen=True, kw_only=True):
    """All tips."""

    branches: list[Branch]


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of the tree."""

    id: str
    parent_id: str | None = msgspec.field(default_factory=lambda: None)
    type: str
    role: str | None = None
    preview: str = msgspec.field(default_factory=str)
    label: str | None = None
    timestamp: str


class Tree(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A page of the tree; `next` asks for those that follow."""

    nodes: list[Node]
    leaf_id: str | None
    next: str | None = None


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """The name of an entry."""

    target_id: str
    label: str | None


class Trash(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions that were deleted."""

    sessions: list[ListedSession]


class SessionId(msgspec.Struct, frozen=True, kw_only=True):
    """The session that was acted on."""

    session_id: str


class BashDone(msgspec.Struct, frozen=True, kw_only=True):
    """What a command put out, and how it ended."""

    result: str
    is_error: bool
    exit_code: int | None
    cancelled: bool
    truncated: bool
    full_output_path: str | None


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """Where the page is."""

    path: str


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an answer was the first."""

    accepted: bool


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent again; `gap` says that something could not be."""

    session_id: str
    epoch: str
    replayed: int
    last_seq: int
    gap: bool


class CatchupData(msgspec.Struct, frozen=True, kw_only=True):
    """The context of a session; `omitted` older messages did not fit, and are to be had by `get_messages`."""

    messages: list[dict[str, Any]]
    leaf_id: str | None
    omitted: int = 0


ANSWERS: dict[str, tuple[type[msgspec.Struct], ...]] = {
    "prompt": (PromptDone, PromptQueued),
    "steer": (Queued,),
    "follow_up": (Queued,),
    "abort": (Pending,),
    "abort_retry": (Aborted,),
    "stop_after_turn": (),
    "get_state": (State,),
    "get_messages": (Messages,),
    "get_last_assistant_text": (Text,),
    "get_session_stats": (Stats,),
    "get_commands": (NamedCommands,),
    "get_available_models": (Models,),
    "set_model": (ModelSet,),
    "set_thinking": (ThinkingSet,),
    "compact": (CompactDone,),
    "new_session": (SessionChosen,),
    "list_sessions": (Sessions,),
    "switch_session": (SessionChosen,),
    "fork": (SessionChosen,),
    "clone": (SessionChosen,),
    "set_session_name": (Title,),
    "list_branches": (Branches,),
    "get_tree": (Tree,),
    "switch_branch": (BranchChosen,),
    "set_label": (Label,),
    "get_label": (Label,),
    "delete_session": (SessionId,),
    "list_trash": (Trash,),
    "restore_session": (SessionId,),
    "bash": (BashDone,),
    "abort_bash": (Aborted,),
    "export_html": (Exported,),
    "approve": (Accepted,),
    "attach": (Attached,),
}
"""What each command answers with where it succeeds; nothing where there is nothing to say."""
