"""Which projects may change what the agent does: their prompt, skills, templates and settings.

A project is trusted by its directory or any above it, the nearest that is named wins; symlinks are resolved on both
sides. The file is replaced by a rename under a lock of its folder, so that no process loses what another wrote and a
reader needs no lock. Contract: agent contract, commands and places; prompt and resources.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from beyond_agent.errors import AgentFault
from beyond_agent.machine.files import LocalFiles
from beyond_agent.places import upwards
from beyond_agent.prompt.texts import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Trust: TypeAlias = Literal["trusted", "untrusted", "unknown"]
VERSION: Final = 1
LOCK_S: Final = 60.0
"""Seconds that the lock is waited for; each of the others holds it for one small write, a second on a busy disk."""


class TrustFile(msgspec.Struct, forbid_unknown_fields=True):
    """What is in the file: absolute paths, and whether what is below each is trusted."""

    version: int
    projects: dict[str, bool]


class TrustStore:
    """The trust of one user, in `path`; a file that is missing trusts nothing."""

    def __init__(self, path: str) -> None:
        self._path = path

    def judge(self, directory: str, notices: list[str]) -> Trust:
        """Return what is known of a directory. A damaged file trusts nothing, which a notice tells."""
        try:
            projects = self.projects()
        except AgentFault as fault:
            notices.append(f"nothing is trusted: {fault}")
            return "unknown"
        return trust_of(os.path.realpath(directory), projects)

    def projects(self) -> Mapping[str, bool]:
        """Return the directories that are named, and whether each is trusted. Raises AgentFault for a damaged file."""
        try:
            with open(self._path, "rb") as file:  # noqa: PTH123 - paths are text, a Path would cost its import
                found = msgspec.json.decode(file.read(), type=TrustFile)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise AgentFault("io", f"{shown(self._path)} cannot be read: {error.strerror}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise AgentFault("io", f"{shown(self._path)} is damaged ({error}); mend or remove it") from None
        if found.version != VERSION:
            raise AgentFault("io", f"{shown(self._path)} has version {found.version}, this program knows {VERSION}")
        return found.projects

    def set(self, directory: str, *, trusted: bool) -> str:
        """Remember about a directory whether it is trusted, and return its path without symlinks.

        Raises AgentFault where the file is damaged, which is left as it is, or cannot be written.
        """
        real = os.path.realpath(directory)
        try:
            real.encode()
        except UnicodeEncodeError:
            raise AgentFault("io", f"{shown(real)}: a name that is not UTF-8 cannot be trusted") from None
        self._change(lambda projects: {**projects, real: trusted})
        return real

    def _change(self, change: Callable[[Mapping[str, bool]], dict[str, bool]]) -> None:
        folder = os.path.dirname(self._path)  # noqa: PTH120 - as above
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - as above
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise AgentFault("io", f"{shown(folder)} cannot be used: {error.strerror}") from error
        try:
            _lock(held, folder)
            projects = dict(sorted(change(self.projects()).items()))
            content = msgspec.json.format(msgspec.json.encode(TrustFile(VERSION, projects)), indent=2) + b"\n"
            LocalFiles().replace(self._path, content)
        except OSError as error:
            raise AgentFault("io", f"{shown(self._path)} cannot be written: {error.strerror}") from error
        finally:
            os.close(held)

    def __repr__(self) -> str:
        return f"<TrustStore {self._path}>"


def trust_of(directory: str, projects: Mapping[str, bool]) -> Trust:
    """Return what the nearest directory that is named says about one."""
    named = next((each for each in upwards(directory, "/") if each in projects), None)
    if named is None:
        return "unknown"
    return "trusted" if projects[named] else "untrusted"


def _lock(folder: int, path: str) -> None:
    """Take the lock of a folder. Closing the descriptor gives it back, whatever ends the process."""
    import fcntl  # noqa: PLC0415 - a run only reads
    from time import monotonic, sleep  # noqa: PLC0415 - as above

    until = monotonic() + LOCK_S
    while True:
        try:
            return fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() > until:
                raise AgentFault("io", f"{shown(path)} has been locked by another process for {LOCK_S:.0f} s") from None
            sleep(0.005)
