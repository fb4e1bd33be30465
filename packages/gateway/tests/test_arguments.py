"""The command line, as far as it needs no process."""

from pathlib import Path

import pytest

from beyond_gateway.cli.arguments import default_state_dir, parse


@pytest.mark.parametrize(
    ("argv", "config"),
    [([], None), (["run"], None), (["-c", "x.toml"], Path("x.toml")), (["run", "--config", "x.toml"], Path("x.toml"))],
)
def test_run_may_be_left_out(argv: list[str], config: Path | None) -> None:
    """Options alone, or nothing, mean `run`."""
    arguments = parse(argv)
    assert (arguments.command, arguments.config) == ("run", config)


def test_dev_listens_on_loopback_unless_told() -> None:
    """The defaults of dev expose nothing."""
    arguments = parse(["dev"])
    assert (arguments.listen, arguments.state_dir, arguments.script) == ("127.0.0.1:8080", None, None)


def test_the_state_directory_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    """$XDG_STATE_HOME where set and not empty, else ~/.local/state."""
    monkeypatch.setenv("HOME", "/home/me")
    assert default_state_dir({"XDG_STATE_HOME": "/state"}) == Path("/state/beyond-ai")
    for environ in ({}, {"XDG_STATE_HOME": ""}):
        assert default_state_dir(environ) == Path("/home/me/.local/state/beyond-ai")


@pytest.mark.parametrize("text", ["-1", "+1", "1_0", "1.0", "", "4294967296", "9" * 5000, "\N{ARABIC-INDIC DIGIT ONE}"])
def test_numbers_are_plain_and_in_range(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Anything but ASCII digits within the format's range is one line and exit 2."""
    with pytest.raises(SystemExit) as caught:
        parse(["keygen", f"--kid={text}"])
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "beyond-ai keygen: argument --kid: expected a number from 0 to 4294967295 (see beyond-ai keygen --help)\n"
    )
