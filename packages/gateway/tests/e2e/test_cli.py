"""The commands as an operator runs them: real processes, files and pipes."""

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

pytestmark = pytest.mark.e2e

SEED = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
PUBLIC = "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="
V1 = (
    "bai_v1.1.AQAAAAAAAAABAAAAAAAAAA."
    "WrWcPbklu91PS-4WuR6GnBNF3h4nROpH0EQQlfJf06f7_lEnlQOCSBimhH2JMwXFJgw40BniTB7-yIdFnpldDw"
)
MINT = ("mint", "--kid", "1", "--tenant", "1", "--vpc", "1")


class Run(Protocol):
    """Runs the command in a directory of its own."""

    def __call__(self, *words: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def beyond_ai(tmp_path: Path) -> Run:
    def run(*words: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "beyond_gateway", *words]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AI_")} | environ
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=60, check=False
        )

    return run


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a refused command, which exits with 2 and prints nothing else."""
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_the_version_loads_nothing_heavy(beyond_ai: Run) -> None:
    """`--version` answers without importing crypto, codecs or an event loop."""
    done = beyond_ai("--version", PYTHONPROFILEIMPORTTIME="1")
    assert done.stdout.startswith("beyond-ai ")
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "beyond_gateway.cli.arguments" in loaded
    assert not loaded & {"nacl", "msgspec", "asyncio", "uvloop", "httptools", "tomllib"}


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("mint", "--help"), ("keygen", "-h"), ("dev", "--help")])
def test_help_answers_on_stdout(beyond_ai: Run, words: tuple[str, ...]) -> None:
    """Help is an answer: exit 0, on stdout, with usage."""
    done = beyond_ai(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: beyond-ai")


@pytest.mark.parametrize(
    "words", [("--version",), ("--help",), ("mint", "--help"), ("keygen", "--out", "k"), ("doctor",)]
)
def test_an_output_that_cannot_be_written_is_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    """On a full disk a command says so, without a traceback, and exits with 1."""
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "beyond_gateway", *words]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, timeout=60, check=False
        )
    said = "beyond-ai: the output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_the_help_shows_a_newcomer_the_way(beyond_ai: Run) -> None:
    """The top page has the commands in the order somebody needs them."""
    text = beyond_ai("--help").stdout
    places = [text.index(f"beyond-ai {command}") for command in ("dev", "keygen", "mint", "run")]
    assert places == sorted(places)


def test_dev_on_a_port_in_use(beyond_ai: Run) -> None:
    """The line has the address and the flag that gives another: no variable does."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        told = beyond_ai("dev", "--listen", address, "--state-dir", "state")
    assert told.returncode == 2
    assert told.stderr == (
        f"beyond-ai: cannot listen on {address}: Address already in use; choose another with --listen\n"
    )


def test_from_keygen_to_inspect(beyond_ai: Run, tmp_path: Path) -> None:
    """What keygen prints is a configuration under which what mint prints verifies; the private file is 0600."""
    made = beyond_ai("keygen", "--kid", "3", "--out", "private.key")
    assert made.returncode == 0
    assert stat.S_IMODE((tmp_path / "private.key").stat().st_mode) == 0o600
    assert "only the second where it has [signing_keys] already" in made.stderr
    (tmp_path / "config.toml").write_text(made.stdout)
    minted = beyond_ai(
        "mint",
        "--key-file",
        "private.key",
        "--kid",
        "3",
        "--tenant",
        "18446744073709551615",
        "--vpc",
        "4",
        "--key-id",
        "9",
    )
    shown = beyond_ai("inspect", "-c", "config.toml", "--json", stdin=minted.stdout)
    assert shown.returncode == 0
    assert json.JSONDecoder().decode(shown.stdout) == {
        "version": 2,
        "kid": 3,
        "tenant": 18446744073709551615,
        "vpc": 4,
        "key_id": 9,
        "signature": "holds",
    }


def test_the_private_key_is_not_printed(beyond_ai: Run, tmp_path: Path) -> None:
    """Neither stream of keygen has the seed, as text or as JSON."""
    for words in (("keygen", "--out", "a"), ("keygen", "--out", "b", "--json")):
        done = beyond_ai(*words)
        seed = (tmp_path / words[2]).read_text().strip()
        assert seed not in done.stdout + done.stderr
        assert len(seed) == 44


def test_keygen_as_json(beyond_ai: Run) -> None:
    """One object with the kid, the public key and the file."""
    made = json.JSONDecoder().decode(beyond_ai("keygen", "--json").stdout)
    assert (made["kid"], made["key_file"], len(made["public_key"])) == (1, "beyond-ai-1.key", 44)


def test_keygen_never_overwrites(beyond_ai: Run, tmp_path: Path) -> None:
    """An existing file stays as it is."""
    (tmp_path / "k").write_text("mine")
    assert only_line(beyond_ai("keygen", "--out", "k")) == (
        "beyond-ai: k: exists and is not overwritten; give another name with --out\n"
    )
    assert (tmp_path / "k").read_text() == "mine"


def test_keygen_says_why_it_cannot_write(beyond_ai: Run) -> None:
    """A missing directory is the operator's to make."""
    assert "none/k: cannot be written: No such file" in only_line(beyond_ai("keygen", "--out", "none/k"))


def test_mint_reads_the_key_from_stdin(beyond_ai: Run) -> None:
    """A seed in a pipe gives the contract's vector, plain and as JSON."""
    assert beyond_ai(*MINT, "--key-file", "-", stdin=SEED).stdout == V1 + "\n"
    as_json = json.JSONDecoder().decode(beyond_ai(*MINT, "--key-file", "-", "--json", stdin=SEED).stdout)
    assert as_json == {"token": V1, "kid": 1, "tenant": 1, "vpc": 1}


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_mint_refuses_a_private_key_that_others_can_read(beyond_ai: Run, tmp_path: Path, mode: int) -> None:
    """The line says what the mode is and how to mend it; after that it works."""
    path = tmp_path / "k"
    path.write_text(SEED)
    path.chmod(mode)
    line = only_line(beyond_ai(*MINT, "--key-file", "k"))
    assert line == f"beyond-ai: k: others can read it (mode {mode:04o}); mend it: chmod 600 k\n"
    path.chmod(0o600)
    assert beyond_ai(*MINT, "--key-file", "k").stdout == V1 + "\n"


def test_inspect_without_a_key_to_check_with(beyond_ai: Run) -> None:
    """The fields are shown, the signature is said to be unchecked, and that is no failure."""
    done = beyond_ai("inspect", stdin=V1 + "\n")
    assert done.returncode == 0
    assert done.stdout.split() == ["version", "1", "kid", "1", "tenant", "1", "vpc", "1", "signature", "not", "checked"]


@pytest.mark.parametrize(
    ("proof", "verdict", "status"),
    [
        (("--public-key", PUBLIC), "holds", 0),
        (("--public-key", "A" * 43), "does not hold", 1),
        (("-c", "other.toml"), "unknown kid", 1),
    ],
)
def test_inspect_exits_by_the_signature(
    beyond_ai: Run, tmp_path: Path, proof: tuple[str, ...], verdict: str, status: int
) -> None:
    """A signature that does not hold, or whose kid is unknown, is exit status 1."""
    (tmp_path / "other.toml").write_text(f'[signing_keys]\n2 = "{PUBLIC}"\n')
    (tmp_path / "token").write_text(V1)
    done = beyond_ai("inspect", "token", "--json", *proof)
    assert (json.JSONDecoder().decode(done.stdout)["signature"], done.returncode) == (verdict, status)


def test_inspect_does_not_show_the_key_itself(beyond_ai: Run) -> None:
    """Its output can be pasted into a ticket."""
    done = beyond_ai("inspect", stdin=V1)
    assert V1[40:80] not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (("serve",), "", "invalid choice: 'serve'"),
        (("mint",), "", "required: --key-file, --tenant, --vpc (see beyond-ai mint --help)"),
        (("mint", "--key-file", "-", "--tenant", "-1", "--vpc", "1"), "", "--tenant"),
        (("mint", "--key-file", "-", "--tenant", "x", "--vpc", "1"), "", "--tenant: expected a number from 0 to 1844"),
        ((*MINT[:2], "4294967296", *MINT[3:], "--key-file", "-"), "", "--kid: expected a number from 0 to 4294967295"),
        ((*MINT, "--key-file", "-"), "junk", "stdin: not a private key; make one with `beyond-ai keygen`"),
        ((*MINT, "--key-file", "none"), "", "none: cannot be read: No such file or directory"),
        ((*MINT, "--key-fil", "-"), "", "--key-file"),
        (("inspect",), "junk", "stdin: not a managed key"),
        (("inspect", "none"), "", "none: cannot be read: No such file or directory"),
        (("inspect", "--public-key", "x"), V1, "--public-key: expected 32 bytes as base64"),
        (("inspect", "-c", "none.toml"), V1, "none.toml: no such file"),
        (("inspect", "-c", "x", "--public-key", "x"), V1, "not allowed with"),
        (("run", "-c", "none.toml"), "", "none.toml: no such file"),
        (("-c", "none.toml"), "", "none.toml: no such file"),
        (("--nope",), "", "unrecognized arguments: --nope (see beyond-ai --help)"),
        (("dev", "--listen", "8080"), "", "--listen: the port is missing: write host:port"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(beyond_ai: Run, words: tuple[str, ...], stdin: str, said: str) -> None:
    """Every command says in one line what is wrong, and how to mend it where that is not plain."""
    assert said in only_line(beyond_ai(*words, stdin=stdin))


@pytest.mark.parametrize("words", [("inspect", V1), (V1,), ("mint", V1), ("run", V1)])
def test_a_key_in_the_arguments_is_refused_and_not_repeated(beyond_ai: Run, words: tuple[str, ...]) -> None:
    """A managed key typed where it does not belong appears in no message."""
    assert "bai_v1" not in only_line(beyond_ai(*words))
