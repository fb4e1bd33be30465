"""Files that matter: who can read the ones with secrets inside, and whether the snapshot can be written."""

from __future__ import annotations

import shlex
import stat
import tempfile
import tomllib
from typing import TYPE_CHECKING, Any

from beyond_gateway.doctor.report import Check, fail, ok

if TYPE_CHECKING:
    from pathlib import Path


def config_file(path: Path) -> list[Check]:
    """Return one finding about a configuration file with secrets inside; none where it has none or cannot be read.

    What stands in the file counts, not what the environment says over it: a key there is readable all the same.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        mode = stat.S_IMODE(path.stat().st_mode)
    except (OSError, ValueError):
        return []
    held = _secrets(document)
    if not held:
        return []
    return [_private("config file", path, mode, f"{path} has {' and '.join(held)}")]


def creds_file(path: Path) -> Check:
    """Return the finding about the file that nats_creds_file names."""
    name = "nats_creds_file"
    try:
        with path.open("rb") as file:
            file.read(1)
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        return fail(
            name, f"{path} cannot be read: {error.strerror}", "give the path of a .creds file in nats_creds_file"
        )
    return _private(name, path, mode, str(path))


def snapshot(path: Path) -> Check:
    """Return whether the snapshot can be written: whether its directory takes a file, which is gone at once."""
    name, folder = "snapshot_path", path.parent
    try:
        # A mode bit lies where a file system is read-only or full, so a file is really made.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        shown = shlex.quote(str(folder))
        mend = f"mkdir -p {shown}" if not folder.exists() else f"make {shown} writable for the gateway"
        return fail(name, f"{folder}: {error.strerror}", mend)
    return ok(name, f"{folder} is writable" + ("" if path.exists() else "; no snapshot yet"))


def _private(name: str, path: Path, mode: int, subject: str) -> Check:
    if mode & 0o077:
        return fail(name, f"{subject}, open to others (mode {mode:04o})", f"chmod 600 {shlex.quote(str(path))}")
    return ok(name, f"{subject}, private (mode {mode:04o})")


def _secrets(document: dict[str, Any]) -> list[str]:
    """Keys of a parsed file that hold secrets: public signing keys are none, a NATS URL is where it has a user."""
    held = [key for key in ("pool_keys", "nats_creds") if document.get(key)]
    url = document.get("nats_url")
    if isinstance(url, str) and any("@" in part for part in url.split(",")):
        held.append("a user in nats_url")
    return held
