"""Which function answers which command. A new command is a class in `commands`, an answer, a function, and a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from beyond_agent.serve import handlers_run as run
from beyond_agent.serve import handlers_sessions as sessions
from beyond_agent.serve import handlers_state as state
from beyond_agent.serve import handlers_tree as tree
from beyond_agent.serve.handlers_attach import attach

if TYPE_CHECKING:
    from beyond_agent.serve.connection import Handlers

HANDLERS: Final[Handlers] = {
    "prompt": run.prompt,
    "steer": run.steer,
    "follow_up": run.follow_up,
    "abort": run.abort,
    "abort_retry": run.abort_retry,
    "stop_after_turn": run.stop_after_turn,
    "compact": run.compact,
    "switch_branch": run.switch_branch,
    "bash": run.bash,
    "abort_bash": run.abort_bash,
    "approve": run.approve,
    "get_state": state.get_state,
    "get_messages": state.get_messages,
    "get_last_assistant_text": state.get_last_assistant_text,
    "get_session_stats": state.get_session_stats,
    "get_commands": state.get_commands,
    "get_available_models": state.get_available_models,
    "set_model": state.set_model,
    "set_thinking": state.set_thinking,
    "set_session_name": state.set_session_name,
    "list_sessions": sessions.list_sessions,
    "new_session": sessions.new_session,
    "switch_session": sessions.switch_session,
    "fork": sessions.fork,
    "clone": sessions.clone,
    "delete_session": sessions.delete_session,
    "list_trash": sessions.list_trash,
    "restore_session": sessions.restore_session,
    "export_html": sessions.export_html,
    "list_branches": tree.list_branches,
    "get_tree": tree.get_tree,
    "set_label": tree.set_label,
    "get_label": tree.get_label,
    "attach": attach,
}
