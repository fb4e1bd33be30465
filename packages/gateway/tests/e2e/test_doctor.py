"""`beyond-ai doctor` before real listeners: what it finds, what it says, and what it never shows."""

from __future__ import annotations

import contextlib
import os
import pty
import socket
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
import trustme
from stack import KEY, PUBLIC_KEY, running

from beyond_gateway.cli.doctor import doctor

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

pytestmark = pytest.mark.e2e

FREE = 'listen = "127.0.0.1:0"\nmetrics_listen = "127.0.0.1:0"\n'


class Finding(msgspec.Struct):
    name: str
    status: str
    detail: str
    mend: str = ""


class Seen(msgspec.Struct):
    """What one run answered: its exit status beside its JSON."""

    ok: bool
    checks: list[Finding]
    status: int = 0

    def of(self, name: str) -> Finding:
        """The one finding of this name."""
        (found,) = [check for check in self.checks if check.name == name]
        return found


class Look:
    """Runs doctor in this process over a configuration of its own."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.path = folder / "config.toml"
        self._capfd = capfd

    def raw(self, config: str, *, as_json: bool, timeout_s: float = 10.0) -> tuple[int, str]:
        """Exit status and everything printed, on both streams."""
        self.path.write_text(config)
        self.path.chmod(0o600)
        status = doctor(self.path, as_json=as_json, timeout_s=timeout_s, every=False)
        return status, "".join(self._capfd.readouterr())

    def __call__(self, config: str, *, timeout_s: float = 10.0) -> Seen:
        status, text = self.raw(config, as_json=True, timeout_s=timeout_s)
        seen = msgspec.json.decode(text, type=Seen)
        seen.status = status
        assert (status == 0) is seen.ok
        assert seen.ok is all(check.status != "fail" for check in seen.checks)
        assert all(bool(check.mend) is (check.status == "fail") for check in seen.checks)
        return seen


@pytest.fixture
def look(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Look:
    for name in os.environ:
        if name.startswith("AI_"):
            monkeypatch.delenv(name)
    return Look(tmp_path, capfd)


@contextlib.contextmanager
def serving(speak: Callable[[socket.socket], None]) -> Generator[int]:
    """A loopback listener that lets `speak` have each connection; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    line, _ = listener.accept()
                    with line, contextlib.suppress(OSError):
                        line.settimeout(10)
                        speak(line)

        thread = threading.Thread(target=run, name="doctor's peer")
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()


class Authority:
    """A certificate authority whose PEM file doctor may trust, and TLS listeners with its certificates."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca_file))

    @contextlib.contextmanager
    def listener(self, name: str = "localhost", days: float = 90.0) -> Generator[int]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        end = datetime.now(UTC) + timedelta(days=days)
        certificate = self._authority.issue_cert(name, not_before=end - timedelta(days=200), not_after=end)
        certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType] an optional package

        def speak(line: socket.socket) -> None:
            with context.wrap_socket(line, server_side=True) as session:
                session.recv(1)

        with serving(speak) as port:
            yield port


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def one_provider(port: int, more: str = "", host: str = "localhost") -> str:
    return f'{FREE}{more}\n[provider_authorities]\nopenai = "{host}:{port}"\n'


# -- the whole


def test_all_is_well(look: Look, authority: Authority, tmp_path: Path) -> None:
    """A configuration that will serve: exit 0, every check is there, nothing fails."""
    with authority.listener() as port:
        config = one_provider(port, f'upstream_ca_file = "{authority.ca_file}"\nsnapshot_path = "{tmp_path}/s"')
        seen = look(f'{config}[pool_keys]\nopenai = "sk-1"\n[signing_keys]\n1 = "{PUBLIC_KEY}"\n')
    assert seen.status == 0
    assert list(dict.fromkeys(check.name for check in seen.checks)) == [
        "config",
        "signing keys",
        "pool keys",
        "config file",
        "listen",
        "metrics_listen",
        "nats",
        "snapshot_path",
        "provider openai",
        "open files",
        "workers",
        "memory",
    ]
    assert seen.of("provider openai").detail == f"localhost:{port}: 127.0.0.1, TLSv1.3, certificate for 89 more days"
    assert seen.of("nats").status == "note"


def test_a_configuration_that_does_not_load(look: Look) -> None:
    """One failure with its place, the rest skipped with a note, exit 1, and still no secret."""
    status, text = look.raw('nats_creds = "S3CR3T"\nrate_limit = 1\n', as_json=False)
    assert status == 1
    lines = text.splitlines()
    assert lines[0] == (
        f"[FAIL] config       {look.path}:2: rate_limit: unknown key; mend it: did you mean rate_limit_rps?"
    )
    assert [line[:6] for line in lines] == ["[FAIL]", "[note]", "[ok]  ", "[ok]  "]
    assert "S3CR3T" not in text


def test_required_signing_keys_that_are_missing_fail(look: Look) -> None:
    """The failure says how to make one."""
    seen = look(f"{FREE}require_signing_keys = true\n")
    assert (seen.status, seen.of("config").status) == (1, "fail")
    assert seen.of("config").mend == "make one with `beyond-ai keygen`"


@pytest.mark.parametrize("as_json", [False, True])
def test_no_secret_is_shown(look: Look, tmp_path: Path, *, as_json: bool) -> None:
    """Pool keys, NATS users, credentials and the creds file's text appear on neither stream, whatever fails."""
    (tmp_path / "user.creds").write_text("S3CR3T-creds-file")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = (
            f'listen = "127.0.0.1:{port}"\nmetrics_listen = "192.0.2.1:1"\nsnapshot_path = "/S3CR3T-no-secret/x"\n'
            f'nats_url = "nats://S3CR3T-user:S3CR3T-password@127.0.0.1:{port},S3CR3T-token@127.0.0.1:1"\n'
            'upstream_tls = false\n%s\n[pool_keys]\nopenai = ["S3CR3T-one", "S3CR3T-two"]\n'
            f'[provider_authorities]\nopenai = "127.0.0.1:{port}"\n'
        )
        for more in ('nats_creds = "S3CR3T-creds"', f'nats_creds_file = "{tmp_path}/user.creds"', ""):
            status, text = look.raw(config % more, as_json=as_json, timeout_s=0.5)
            assert status == 1
            assert text.replace("S3CR3T-no-secret", "").find("S3CR3T") < 0


def test_a_check_that_breaks_hides_nothing(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of doctor's own is a failure among the others, without the text of the exception."""

    async def broken(*_: object) -> None:
        raise RuntimeError("S3CR3T")

    monkeypatch.setattr("beyond_gateway.doctor.examine.deny_store", broken)
    seen = look(FREE)
    assert seen.of("nats").detail == "the check itself broke (RuntimeError)"
    assert seen.of("listen").status == "ok"


# -- addresses


def test_addresses_that_a_gateway_has_are_notes(look: Look) -> None:
    """A running gateway is known by its answers on both ports; being asked costs it no usage row."""
    with running() as (stack, _):
        seen = look(f'listen = "127.0.0.1:{stack.port}"\nmetrics_listen = "127.0.0.1:{stack.admin_port}"\n')
        assert seen.status == 0
        for name in ("listen", "metrics_listen"):
            assert seen.of(name).status == "note"
            assert "a gateway listens there already" in seen.of(name).detail
        assert stack.rows(0) == []


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b'HTTP/1.1 503 Service Unavailable\r\n\r\n{"status":"draining","version":"0.1.0"}', "note"),
        (b"HTTP/1.1 404 Not Found\r\nX-Beyond-Request-Id: 1\r\n\r\n", "note"),
        (b"HTTP/1.1 200 OK\r\nServer: other\r\n\r\nhello x-beyond-request-id:", "fail"),
        (b"SSH-2.0-OpenSSH\r\n", "fail"),
        (b"", "fail"),
    ],
    ids=["the admin port", "the client port", "another web server", "another protocol", "nothing"],
)
def test_who_has_an_address_is_known_by_its_answer(look: Look, answer: bytes, status: str) -> None:
    """Only what answers as a gateway does is one; anything else that is there is in the way."""

    def speak(line: socket.socket) -> None:
        assert line.recv(4096).startswith(b"GET /readyz HTTP/1.1\r\n")
        line.sendall(answer)

    with serving(speak) as port:
        seen = look(f'listen = "127.0.0.1:0"\nmetrics_listen = "127.0.0.1:{port}"\n')
    assert seen.of("metrics_listen").status == status
    if status == "fail":
        assert f"127.0.0.1:{port} is taken" in seen.of("metrics_listen").detail
        assert f"sport = :{port}" in seen.of("metrics_listen").mend


def test_a_listener_that_says_nothing_is_not_waited_for(look: Look) -> None:
    """An address held by a program that never answers is taken, within the time limit."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        seen = look(f'listen = "127.0.0.1:{silent.getsockname()[1]}"\nmetrics_listen = "127.0.0.1:0"\n', timeout_s=0.2)
    assert seen.of("listen").status == "fail"


@pytest.mark.parametrize(
    ("listen", "detail", "mend"),
    [
        ("192.0.2.1:8080", "cannot be bound: cannot assign requested address", "this host has no such address"),
        ("nosuch.invalid:8080", "the name does not resolve", "give an address of this host in listen"),
    ],
)
def test_an_address_that_cannot_be_had(look: Look, listen: str, detail: str, mend: str) -> None:
    """The failure says why, and what to choose instead."""
    found = look(f'listen = "{listen}"\nmetrics_listen = "127.0.0.1:0"\n').of("listen")
    assert (found.status, found.detail.partition(f"{listen}")[2].lstrip(": ")) == ("fail", detail)
    assert found.mend.startswith(mend)


@pytest.mark.parametrize("admin", ["127.0.0.1", "0.0.0.0"])
def test_two_listeners_on_one_port_clash(look: Look, admin: str) -> None:
    """listen and metrics_listen may not be the same, directly or by a wildcard."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    seen = look(f'listen = "127.0.0.1:{port}"\nmetrics_listen = "{admin}:{port}"\n')
    assert seen.of("listen").status == "ok"
    assert seen.of("metrics_listen").detail == f"{admin}:{port} is the port of listen"


# -- providers


@pytest.mark.parametrize(
    ("name", "host", "days", "trusted", "detail", "mend"),
    [
        (
            "localhost",
            "localhost",
            90,
            False,
            "unable to get local issuer certificate",
            "give its authority in upstream_ca",
        ),
        ("other.example", "localhost", 90, True, "the certificate is not for localhost", "name the host it is for"),
        ("localhost", "127.0.0.1", 90, True, "the certificate is not for 127.0.0.1", "name the host it is for"),
        ("localhost", "localhost", -1, True, "certificate has expired", "renew the certificate, or set"),
        ("localhost", "localhost", 300, True, "certificate is not yet valid", "renew the certificate, or set"),
    ],
    ids=["an unknown authority", "another name", "an address", "expired", "not yet"],
)
def test_a_certificate_that_does_not_verify(
    look: Look, authority: Authority, *, name: str, host: str, days: float, trusted: bool, detail: str, mend: str
) -> None:
    """Each reason is named and has its own way to mend it."""
    more = f'upstream_ca_file = "{authority.ca_file}"' if trusted else ""
    with authority.listener(name, days) as port:
        found = look(one_provider(port, more, host)).of("provider openai")
    assert (found.status, found.detail) == ("fail", f"{host}:{port}: TLS handshake: {detail}")
    assert found.mend.startswith(mend)


def test_a_certificate_soon_over_is_a_note(look: Look, authority: Authority) -> None:
    """Less than two weeks: somebody should know."""
    with authority.listener(days=13.5) as port:
        seen = look(one_provider(port, f'upstream_ca_file = "{authority.ca_file}"'))
    assert (seen.status, seen.of("provider openai").status) == (0, "note")
    assert "certificate for 13 more days" in seen.of("provider openai").detail


def test_verification_turned_off_is_said(look: Look, authority: Authority) -> None:
    """The handshake works, and the note says that nothing is proved by it."""
    with authority.listener("other.example") as port:
        found = look(one_provider(port, "upstream_verify_cert = false")).of("provider openai")
    assert (found.status, "not verified" in found.detail) == ("note", True)


def test_a_listener_without_tls(look: Look) -> None:
    """Plain text where TLS is expected is a failure, and is well where it is configured."""

    def speak(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" if line.recv(4096) else b"")

    with serving(speak) as port:
        found = look(one_provider(port)).of("provider openai")
        assert (found.status, found.detail) == ("fail", f"localhost:{port}: TLS handshake: wrong version number")
        assert found.mend.startswith(f"check that localhost port {port} speaks TLS")
        found = look(one_provider(port, "upstream_tls = false")).of("provider openai")
        assert (found.status, found.detail) == ("ok", f"localhost:{port}: 127.0.0.1, plain text")


def test_a_provider_that_is_not_there(look: Look) -> None:
    """Refused, silent and unknown: each step names itself, within the time limit."""
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as gone:
        ports = silent.getsockname()[1], gone.getsockname()[1]
        gone.close()
        seen = look(
            f'{FREE}[provider_authorities]\nsilent = "127.0.0.1:{ports[0]}"\ngone = "127.0.0.1:{ports[1]}"\n'
            'unknown = "nosuch.invalid"\n',
            timeout_s=0.5,
        )
    assert seen.of("provider silent").detail == f"127.0.0.1:{ports[0]}: TLS handshake: no answer within 0.5 s"
    assert seen.of("provider gone").detail == f"127.0.0.1:{ports[1]}: TCP connect: connection refused"
    assert f"traffic to 127.0.0.1 port {ports[1]} may leave" in seen.of("provider gone").mend
    assert seen.of("provider unknown").detail == "nosuch.invalid:443: the name does not resolve"
    assert "resolv.conf" in seen.of("provider unknown").mend
    assert {check.status for check in seen.checks if check.name.startswith("provider ")} == {"fail"}


def test_a_bundle_that_cannot_be_read(look: Look) -> None:
    """upstream_ca_file is named, once, and no provider is tried without it."""
    seen = look(one_provider(1, 'upstream_ca_file = "/nonexistent.pem"'))
    assert seen.of("upstream_ca_file").status == "fail"
    assert not [check for check in seen.checks if check.name.startswith("provider ")]


# -- the terminal


def terminal(config: Path, **environ: str) -> str:
    """What a person sees on a terminal for both streams."""
    script = (
        "import sys; from pathlib import Path; from beyond_gateway.cli.doctor import doctor\n"
        f"sys.exit(doctor(Path({str(config)!r}), as_json=False, timeout_s=1.5, every=False))"
    )
    ours, theirs = pty.openpty()
    try:
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=theirs, stderr=theirs, env=environment | {"TERM": "xterm"} | environ
        )
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # the last reader of a terminal whose other side is closed gets EIO
            while part := os.read(ours, 65536):
                seen += part
        process.wait(20)
        return seen.decode()
    finally:
        os.close(ours)


def test_a_terminal_gets_colour_and_progress(tmp_path: Path) -> None:
    """Past a second it says what is waited for, erases that, and colours the marks; NO_COLOR and dumb are honoured."""
    config = tmp_path / "c.toml"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config.write_text(one_provider(silent.getsockname()[1]))
        seen = terminal(config)
        assert seen.startswith("\r\x1b[Kwaiting for provider openai\r\x1b[K\x1b[32m[ok]  \x1b[0m config")
        assert "\x1b[31m[FAIL]\x1b[0m provider openai" in seen
    config.write_text(FREE)
    assert "\x1b[32m[ok]" in terminal(config, NO_COLOR="")
    for environ in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in terminal(config, **environ)


def test_the_managed_key_of_a_slip_is_not_shown(look: Look) -> None:
    """A managed key pasted where a path belongs is masked."""
    status, text = look.raw(f'{FREE}snapshot_path = "/{KEY}/x"\n', as_json=False)
    assert status == 1
    assert "bai_v1" not in text
    assert "/***: No such file" in text
