"""From a command line to a `Harness`: the layers of settings, the trust of the project, the endpoint.

Contract: agent contract, commands and places; model routing.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from beyond_agent import places as places_of
from beyond_agent.errors import AgentFault
from beyond_agent.flags import given_on
from beyond_agent.prompt.load import is_trusted
from beyond_agent.prompt.trust import TrustStore
from beyond_agent.routing import route
from beyond_agent.settings import settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_agent.arguments import Parser
    from beyond_agent.harness import Harness
    from beyond_agent.options import Options
    from beyond_agent.places import Places

_PROXIES: Final = "http_proxy, https_proxy or all_proxy"


def read_options(command: str, argv: list[str], parser: Parser, environ: Mapping[str, str], places: Places) -> Options:
    """Return the settings of a command. Raises UsageError."""
    return settled(command, given_on(argv, parser), environ, places)


def settled(command: str, given: dict[str, Any], environ: Mapping[str, str], places: Places) -> Options:
    """Return the settings of a command whose flags are `given`. Raises UsageError."""
    options = settle(command, given, environ, [places.settings])
    if not os.path.lexists(places.project_settings):
        return options
    # The notices of an untrusted project come with its prompt, once.
    trusted = is_trusted(places, TrustStore(places.trust), [], this_time=options.trust_project)
    return settle(command, given, environ, [places.settings, places.project_settings]) if trusted else options


def here(environ: Mapping[str, str]) -> Places:
    """Return the places of the user of this process in its directory. Raises AgentFault where that is gone."""
    try:
        cwd = os.getcwd()  # noqa: PTH109 - paths are text here
    except OSError as error:
        raise AgentFault("io", f"the current directory cannot be used: {error.strerror}; cd to one that is") from None
    return places_of.find(environ, home_of(environ), cwd)


def here_told(environ: Mapping[str, str]) -> Places:
    """Return as `here` does, and say on stderr what was left out: for commands that read no prompt, which tells it."""
    places = here(environ)
    for notice in places.notices:
        print(f"[{notice}]", file=sys.stderr)  # noqa: T201 - stderr is for notices
    return places


def home_of(environ: Mapping[str, str]) -> str:
    """Return the user's home, an absolute path: `/` for a user whom the system does not know."""
    given = environ.get("HOME", "")
    if given.startswith("/"):
        return given
    import pwd  # noqa: PLC0415 - most environments say it

    try:
        return pwd.getpwuid(os.getuid()).pw_dir or "/"
    except KeyError:
        return "/"


def harness_for(options: Options, environ: Mapping[str, str]) -> Harness:
    """Return what sessions work with. Raises UsageError where no key is there, or an endpoint that cannot be used."""
    there = route(options, environ)
    from beyond_agent.errors import UsageError  # noqa: PLC0415 - what is below waits for a key to be there
    from beyond_agent.harness import Harness  # noqa: PLC0415 - as above
    from beyond_agent.routing import abilities  # noqa: PLC0415 - as above
    from beyond_agent_core.client import HttpTransport  # noqa: PLC0415 - as above
    from beyond_agent_core.errors import ConfigError  # noqa: PLC0415 - as above

    try:
        transport = HttpTransport(
            there.base_url,
            (lambda: there.key) if there.key else None,
            direct=there.direct,
            caps=lambda model: abilities(model, options),
            environ=environ,
        )
    except ConfigError as error:
        told = str(error).removeprefix(f"{error.field}: ")
        if error.field == "proxy":
            raise UsageError(f"{_PROXIES}: {told}; no_proxy excepts hosts from it") from None
        raise UsageError(f"{'AI_BASE_URL' if there.direct else '--gateway-url or AI_GATEWAY_URL'}: {told}") from None
    return Harness(
        options,
        transport,
        environ=environ,
        home=home_of(environ),
        today=time.strftime("%Y-%m-%d"),
        secrets=tuple({key: None for key in (there.key, options.key) if key}),
    )
