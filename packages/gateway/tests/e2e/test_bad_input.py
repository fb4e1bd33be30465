"""A configuration that cannot be served ends the command: one line that names what is wrong, exit status 2."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from stack import PUBLIC_KEY, read_all, request, wait_for

pytestmark = pytest.mark.e2e
LISTEN = 'listen = "127.0.0.1:0"\n'


def refused(folder: Path, text: str, **environ: str) -> str:
    """The one line that `run` writes about this configuration."""
    path = folder / "config.toml"
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "beyond_gateway", "run", "-c", "config.toml"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("AI_")} | environ,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("beyond-ai: ")
    return done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\nlisten_on = 1\n", "config.toml:2: listen_on: unknown key"),
        ("rate_limit_rsp = 1\n", "did you mean rate_limit_rps?"),
        ("[pool_key]\nopenai = 'x'\n", "config.toml:1: pool_key: unknown key"),
        (LISTEN + 'rate_limit_rps = "many"\n', "config.toml:2: rate_limit_rps: "),
        (LISTEN + "rate_limit_rps = true\n", "config.toml:2: rate_limit_rps: "),
        (LISTEN + "read_timeout_secs = -1\n", "config.toml:2: read_timeout_secs: "),
        (LISTEN + "upstream_tls = 1\n", "config.toml:2: upstream_tls: "),
        ("listen = 8080\n", "config.toml:1: listen: "),
        ('listen = "8080"\n', "config.toml:1: listen: "),
        ("managed_endpoints = '/chat/completions'\n", "config.toml:1: managed_endpoints: "),
        ("pool_keys = 'sk-x'\n", "config.toml:1: pool_keys: expected a table"),
        ("[signing_keys]\n1 = 'c2hvcnQ='\n", "config.toml:2: signing_keys.1: "),
        ("[signing_keys]\n1 = 'not base64!'\n", "config.toml:2: signing_keys.1: "),
        (f"[signing_keys]\n01 = '{PUBLIC_KEY}'\n", "config.toml:2: signing_keys.01: "),
        (f"[signing_keys]\n-1 = '{PUBLIC_KEY}'\n", "config.toml:2: signing_keys.-1: "),
        ("[provider_dialects]\nopenai = 'cohere'\n", "config.toml:2: provider_dialects.openai: "),
        ("[provider_auth_schemes]\nopenai = 'basic'\n", "config.toml:2: provider_auth_schemes.openai: "),
        ("[provider_authorities]\nlocal = 'http://x/'\n", "config.toml:2: provider_authorities.local: "),
        ("[provider_dialects]\nnobody = 'openai'\n", "config.toml:2: provider_dialects.nobody: "),
        ("require_signing_keys = true\n", "config.toml:1: require_signing_keys: "),
        ("listen = \n", "config.toml:1: not TOML: "),
        ('upstream_ca_file = "none.pem"\n', "upstream_ca_file: "),
        ('upstream_ca_file = "config.toml"\n', "upstream_ca_file: "),
        ('upstream_ca_file = "/"\n', "upstream_ca_file: "),
        ('listen = "192.0.2.1:1"\n', "cannot listen on 192.0.2.1:1: "),
    ],
)
def test_a_file_that_cannot_be_served(tmp_path: Path, text: str, said: str) -> None:
    """File, line and key stand in the one line."""
    assert said in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AI_RATE_LIMIT_RPS", "many"),
        ("AI_LISTEN", "nowhere"),
        ("AI_UPSTREAM_TLS", "perhaps"),
        ("AI_SIGNING_KEY_1", "short"),
        ("AI_PROVIDER_DIALECT_OPENAI", "cohere"),
    ],
)
def test_a_variable_that_cannot_be_used(tmp_path: Path, name: str, value: str) -> None:
    """A fault in the environment is named by its variable."""
    assert f"{name}: " in refused(tmp_path, LISTEN, **{name: value})


def test_a_port_in_use(tmp_path: Path) -> None:
    """The line has the address and says what to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        line = refused(tmp_path, f'listen = "{address}"\n')
    assert f"cannot listen on {address}: " in line
    assert "AI_LISTEN" in line


@pytest.mark.parametrize("workers", [1, 2])
def test_a_closed_stdout(tmp_path: Path, workers: int) -> None:
    """Nothing is served where rows have no place to go to: in stdout's place would be a socket."""
    (tmp_path / "config.toml").write_text(f'{LISTEN}metrics_listen = "127.0.0.1:0"\nworkers = {workers}\n')
    run = f"exec {shlex.quote(sys.executable)} -m beyond_gateway run -c config.toml >&-"
    done = subprocess.run(
        ["/bin/sh", "-c", run], cwd=tmp_path, stderr=subprocess.PIPE, text=True, timeout=20, check=False
    )
    said = "beyond-ai: stdout is closed, and usage rows go there: give it a file, a pipe or /dev/null\n"
    assert (done.returncode, done.stderr) == (2, said)


@pytest.mark.parametrize("workers", [1, 2])
def test_closed_streams_that_are_not_needed(tmp_path: Path, workers: int) -> None:
    """Without stdin and stderr the gateway serves and ends with status 0; no socket takes their place."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    (tmp_path / "config.toml").write_text(
        f'listen = "{address}"\nmetrics_listen = "127.0.0.1:0"\nworkers = {workers}\n'
    )
    run = f"exec {shlex.quote(sys.executable)} -m beyond_gateway run -c config.toml <&- 2>&-"
    with subprocess.Popen(["/bin/sh", "-c", run], cwd=tmp_path, stdout=subprocess.PIPE) as process:
        try:
            wait_for(lambda: _answers(address), "an answer")
            streams = [str(Path(f"/proc/{process.pid}/fd/{number}").readlink()) for number in (0, 2)]
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert streams == [os.devnull, os.devnull]


def _answers(address: str) -> bool:
    host, _, port = address.partition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request(close=True))
        return read_all(connection).startswith(b"HTTP/1.1 ")
    return False


@pytest.mark.parametrize("text", ["[pool_keys]\nopenai = 'sk-S3CR3T key'\n", "[signing_keys]\n1 = 'S3CR3T'\n"])
def test_a_bad_secret_is_not_shown(tmp_path: Path, text: str) -> None:
    """What is wrong with a key is said without the key."""
    assert "S3CR3T" not in refused(tmp_path, text)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """A directory, and bytes that are no text, are named."""
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe")
    for words, said in ((("-c", "."), "cannot be read"), (("-c", "config.toml"), "not UTF-8")):
        command = [sys.executable, "-m", "beyond_gateway", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert said in done.stderr
