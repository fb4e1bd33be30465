"""Who can read the files with secrets inside, and whether the snapshot can be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from beyond_gateway.doctor.files import config_file, creds_file, snapshot
from beyond_gateway.doctor.report import fail, ok

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ('[pool_keys]\nopenai = "sk"', "pool_keys"),
        ('nats_creds = "x"\n[pool_keys]\nopenai = ["sk"]', "pool_keys and nats_creds"),
        ('nats_url = "nats://a:1,nats://me:pw@b:1"', "a user in nats_url"),
        ('unknown = 1\nnats_creds = "x"', "nats_creds"),
    ],
)
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o622, 0o610])
def test_secrets_that_others_can_read_are_a_failure(tmp_path: Path, text: str, held: str, mode: int) -> None:
    """Any right of group or others, also in a file that does not load; chmod 600 mends it, and then it is well."""
    path = tmp_path / "c.toml"
    path.write_text(text)
    path.chmod(mode)
    assert config_file(path) == [
        fail("config file", f"{path} has {held}, open to others (mode {mode:04o})", f"chmod 600 {path}")
    ]
    path.chmod(0o600)
    assert config_file(path) == [ok("config file", f"{path} has {held}, private (mode 0600)")]


@pytest.mark.parametrize(
    "text",
    ['listen = "a:1"\n[signing_keys]\n1 = "x"', 'nats_url = "nats://a:1"', "[pool_keys]", "nats_url = 1", "= no", None],
)
def test_a_file_without_secrets_may_be_open(tmp_path: Path, text: str | None) -> None:
    """Public keys are no secret; a file that is missing or no TOML is the loader's to judge."""
    path = tmp_path / "c.toml"
    if text is not None:
        path.write_text(text)
        path.chmod(0o644)
    assert config_file(path) == []


def test_the_way_to_mend_can_be_pasted(tmp_path: Path) -> None:
    """A path with a space is quoted for the shell."""
    path = tmp_path / "my config"
    path.write_text('nats_creds = "x"')
    path.chmod(0o644)
    assert config_file(path)[0].mend == f"chmod 600 '{path}'"


def test_a_creds_file_is_private_and_there(tmp_path: Path) -> None:
    """Missing, open to others, private."""
    path = tmp_path / "user.creds"
    assert creds_file(path) == fail(
        "nats_creds_file",
        f"{path} cannot be read: No such file or directory",
        "give the path of a .creds file in nats_creds_file",
    )
    path.write_text("SECRET")
    path.chmod(0o640)
    found = creds_file(path)
    assert (found.status, found.mend) == ("fail", f"chmod 600 {path}")
    path.chmod(0o400)
    assert creds_file(path) == ok("nats_creds_file", f"{path}, private (mode 0400)")


def test_a_snapshot_needs_a_directory_that_takes_files(tmp_path: Path) -> None:
    """Missing, not a directory, one that takes no files even from root, and a good one, which stays empty."""
    assert snapshot(tmp_path / "none" / "s").mend == f"mkdir -p {tmp_path / 'none'}"
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", type(tmp_path)("/proc")):
        found = snapshot(folder / "s")
        assert (found.status, found.mend) == ("fail", f"make {folder} writable for the gateway")
    good = tmp_path / "good"
    good.mkdir()
    assert snapshot(good / "s") == ok("snapshot_path", f"{good} is writable; no snapshot yet")
    assert list(good.iterdir()) == []
    (good / "s").write_text("x")
    assert snapshot(good / "s") == ok("snapshot_path", f"{good} is writable")
