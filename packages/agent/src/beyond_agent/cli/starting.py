"""What `run` and `serve` do alike once their settings are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_agent.errors import AgentFault

if TYPE_CHECKING:
    from beyond_agent.harness import Harness, Site
    from beyond_agent.opening import Store
    from beyond_agent.sessions.stored import StoredSession


def opened(harness: Harness, site: Site) -> tuple[Store, StoredSession]:
    """Return where sessions are kept, and the one that the settings choose. Raises AgentFault."""
    from beyond_agent.opening import first_session, store_for  # noqa: PLC0415 - settings that are wrong need none of it
    from beyond_agent.sessions.errors import SessionError  # noqa: PLC0415 - as above

    try:
        store = store_for(harness.options, site.places)
        return store, first_session(store, harness.options, site.places)
    except SessionError as error:
        raise AgentFault(error.code, str(error)) from None


def about_the_model(harness: Harness, model: str) -> list[str]:
    """Return what a person should know of the model that answers."""
    if harness.knows(model):
        return []
    return [f'nothing is known of the model {model}: the least is assumed; [models."{model}"] in agent.toml says more']
