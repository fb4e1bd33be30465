"""Where the agent keeps its things: the folders of one user, and of the project that a directory belongs to.

All of it follows from the environment, the home and the current directory, so that a test or an embedding program gives
its own. Nothing is made here: a folder that is missing is one that is empty.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OWN: Final = "beyond-ai"
"""Name of the agent's folder in the user's folders for settings and for state (agent contract, commands and places)."""
PROJECT: Final = ".beyond-ai"
"""Name of a project's folder for the agent, the same section."""
SLUG_CHARACTERS: Final = 80
"""Characters of a directory in the name of its folder of sessions: names end at 255 bytes, and paths grow long."""

_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9._]+")


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Absolute paths, none of which need exist.

    - `home`, `cwd`: the user's home, and the directory that is worked in, without symlinks
    - `config`: the user's own settings, instructions, skills and templates
    - `state`: sessions and `trust.json`
    - `root`: the top of the repository that `cwd` is in; `cwd` outside of one
    - `project`: the directory whose `.beyond-ai` and `.agents` are the project's
    - `notices`: what was left out of the environment, a sentence each
    """

    home: str
    cwd: str
    config: str
    state: str
    root: str
    project: str
    notices: tuple[str, ...] = ()

    @property
    def settings(self) -> str:
        """The user's own settings file."""
        return os.path.join(self.config, "agent.toml")  # noqa: PTH118 - paths are text, a Path would cost its import

    @property
    def project_folder(self) -> str:
        """The project's folder for the agent."""
        return os.path.join(self.project, PROJECT)  # noqa: PTH118 - as above

    @property
    def project_settings(self) -> str:
        """The project's settings file, which counts only where the project is trusted."""
        return os.path.join(self.project_folder, "agent.toml")  # noqa: PTH118 - as above

    @property
    def trust(self) -> str:
        """The file that says which projects are trusted."""
        return os.path.join(self.state, "trust.json")  # noqa: PTH118 - as above

    @property
    def all_sessions(self) -> str:
        """The folder that holds a folder of sessions for each directory."""
        return os.path.join(self.state, "sessions")  # noqa: PTH118 - as above

    @property
    def sessions(self) -> str:
        """The folder of the sessions of `cwd`."""
        return os.path.join(self.all_sessions, session_folder_name(self.cwd))  # noqa: PTH118 - as above


def find(environ: Mapping[str, str], home: str, cwd: str) -> Places:
    """Return the places of a user who works in `cwd`. A relative value in the environment counts as none.

    The project is the nearest directory that has a folder for the agent, from `cwd` up to the top of its repository;
    `cwd` where none has.
    """
    notices: list[str] = []

    def folder(variable: str, *default: str) -> str:
        given = environ.get(variable, "")
        if given and not given.startswith("/"):
            notices.append(f"{variable} is ignored: it is not an absolute path: {given!r}")
            given = ""
        return os.path.join(given or os.path.join(home, *default), OWN)  # noqa: PTH118 - as above

    cwd = os.path.realpath(cwd)
    root = repository(cwd) or cwd
    return Places(
        home=home,
        cwd=cwd,
        config=folder("XDG_CONFIG_HOME", ".config"),
        state=folder("XDG_STATE_HOME", ".local", "state"),
        root=root,
        project=next((each for each in upwards(cwd, root) if _for_the_agent(each)), cwd),
        notices=tuple(notices),
    )


def upwards(start: str, top: str) -> Iterator[str]:
    """Yield a directory and its parents up to `top`, which is one of them."""
    yield start
    while start not in (top, os.path.dirname(start)):  # noqa: PTH120 - as above
        start = os.path.dirname(start)  # noqa: PTH120 - as above
        yield start


def repository(path: str) -> str | None:
    """Return the top of the git repository that a directory is in; a work tree and a submodule have a file there."""
    return next((each for each in upwards(path, "/") if os.path.lexists(os.path.join(each, ".git"))), None)  # noqa: PTH118 - as above


def session_folder_name(cwd: str) -> str:
    """Return the name of the folder for a directory's sessions: its end to read, a hash of it to tell it apart."""
    from hashlib import sha256  # noqa: PLC0415 - only a command that stores or lists sessions needs it

    slug = _NOT_PLAIN.sub("-", cwd).strip("-.")[-SLUG_CHARACTERS:].strip("-.")
    return f"{slug or 'root'}-{sha256(os.fsencode(cwd)).hexdigest()[:8]}"


def _for_the_agent(directory: str) -> bool:
    return any(os.path.isdir(os.path.join(directory, name)) for name in (PROJECT, ".agents"))  # noqa: PTH112, PTH118 - as above
