"""A real nats-server with the deny-set's bucket, and a writer that speaks its protocol.

The client library takes 100 us for each write; a million entries are to be there in seconds, and the moment of a write
must be that of its bytes leaving. Not named `nats`: scripts of this folder would import it in place of the library.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from bench.servers import Server, StartFailedError, free_port, started
from bench.setting import ROOT

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from bench.setting import Setting

PROGRAM = ROOT / ".venv/bin/nats-server"
# Writes between two answers that are waited for; a stream drops what comes when 10,000 are waiting.
WINDOW = 5_000
INBOX = b"_INBOX.bench"
DELETED = b"NATS/1.0\r\nKV-Operation: DEL\r\n\r\n"


@contextmanager
def nats_server(setting: Setting) -> Generator[Server]:
    """A server with JetStream and an empty store, on the load core. Raises StartFailedError where there is none."""
    if not PROGRAM.exists():
        raise StartFailedError(f"{PROGRAM} is missing: it comes with the development requirements")
    port = free_port()
    words = [str(PROGRAM), "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", str(setting.tmp / f"nats-store-{port}")]
    with started("nats", words, port=port, core=setting.load_core, tmp=setting.tmp) as server:
        yield server


def url(server: Server) -> str:
    """Where clients of the server connect."""
    return f"nats://127.0.0.1:{server.port}"


class _State(msgspec.Struct):
    messages: int = 0


class _Answer(msgspec.Struct):
    error: dict[str, str | int] | None = None
    state: _State | None = None


_ANSWER = msgspec.json.Decoder(_Answer)


class Bucket:
    """A new KV bucket and one connection that writes deny entries to it. Raises StartFailedError for a refusal."""

    def __init__(self, server: Server, name: str) -> None:
        self.name = name
        self._socket = socket.create_connection(("127.0.0.1", server.port), 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")
        self._socket.sendall(b'CONNECT {"verbose":false,"headers":true}\r\nSUB %b 1\r\n' % INBOX)
        wanted = {"name": f"KV_{name}", "subjects": [f"$KV.{name}.>"], "max_msgs_per_subject": 1, "allow_direct": True}
        self._ask(b"$JS.API.STREAM.CREATE.KV_" + name.encode(), msgspec.json.encode(wanted))

    def close(self) -> None:
        """End the connection."""
        self._lines.close()
        self._socket.close()

    def fill(self, tenants: Sequence[int]) -> None:
        """Deny all of `tenants`; returns when the store has every one."""
        subject, payload = b"PUB $KV.%b.blackhole.%%d 5\r\nspend\r\n" % self.name.encode(), b"spend"
        for start in range(0, len(tenants), WINDOW):
            *window, last = tenants[start : start + WINDOW]
            self._socket.sendall(b"".join([subject % tenant for tenant in window]))
            self._ask(self._key(last), payload)
        state = self._ask(b"$JS.API.STREAM.INFO.KV_" + self.name.encode(), b"").state
        if state is None or state.messages != len(tenants):
            raise StartFailedError(f"the store has {state} of {len(tenants)} entries")

    def put(self, tenant: int) -> None:
        """Deny `tenant`: returns when the write has left, without waiting for the store's answer."""
        self._socket.sendall(b"PUB %b 5\r\nspend\r\n" % self._key(tenant))

    def delete(self, tenant: int) -> None:
        """Deny `tenant` no longer; the same."""
        size = len(DELETED)
        self._socket.sendall(b"HPUB %b %d %d\r\n%b\r\n" % (self._key(tenant), size, size, DELETED))

    def _key(self, tenant: int) -> bytes:
        return b"$KV.%b.blackhole.%d" % (self.name.encode(), tenant)

    def _ask(self, subject: bytes, payload: bytes) -> _Answer:
        self._socket.sendall(b"PUB %b %b %d\r\n%b\r\n" % (subject, INBOX, len(payload), payload))
        while line := self._lines.readline():
            if line.startswith(b"PING"):
                self._socket.sendall(b"PONG\r\n")
            elif line.startswith(b"-ERR"):
                raise StartFailedError(f"nats-server: {line.decode().strip()}")
            elif line.startswith(b"MSG "):
                answer = _ANSWER.decode(self._lines.read(int(line.split()[-1]) + 2).strip())
                if answer.error is not None:
                    raise StartFailedError(f"JetStream refused: {answer.error}")
                return answer
        raise StartFailedError("nats-server closed the connection")
