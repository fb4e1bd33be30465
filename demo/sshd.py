"""An OpenSSH server on loopback with throwaway keys, through which a program reaches `attach` as it would in life."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final, Self

MISSING: Final = "needs sshd and ssh: apt-get install openssh-server openssh-client"
_START_S: Final = 10.0
_CONFIG: Final = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/client.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
LogLevel FATAL
"""


def installed() -> bool:
    """Whether both programs are there."""
    return all(shutil.which(name, path=_path()) for name in ("sshd", "ssh", "ssh-keygen"))


class Sshd:
    """A server in `folder`; `command` is the argv that runs something on the other side. Use it in a `with` block.

    `programs` is a folder that stands first in the PATH of what is run there.
    """

    def __init__(self, folder: Path, programs: Path | None = None) -> None:
        self._folder = folder
        self._programs = programs
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        for name in ("host", "client"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._folder / name))
        config = self._folder / "sshd_config"
        path = "" if self._programs is None else f"SetEnv PATH={self._programs}:{_path()}\n"
        config.write_text(_CONFIG.format(port=self.port, folder=self._folder) + path)
        if os.geteuid() == 0:
            # Where it separates its privileges; Debian makes it at boot.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        # It wants to be started by its whole path.
        sshd = shutil.which("sshd", path=_path()) or "sshd"
        self._process = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL)
        self._until_it_listens()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def command(self, *remote: str) -> list[str]:
        """Return what runs `remote` behind the server."""
        options = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
        flags = [word for option in options for word in ("-o", option)]
        key = str(self._folder / "client")
        return ["ssh", "-F", "none", *flags, "-i", key, "-p", str(self.port), f"{getpass.getuser()}@127.0.0.1", *remote]

    def _until_it_listens(self) -> None:
        end = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if time.monotonic() > end or (self._process and self._process.poll() is not None):
                    raise
                time.sleep(0.05)
            else:
                return


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
