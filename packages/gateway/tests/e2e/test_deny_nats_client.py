"""Messages are taken in order and whole, however the connection cuts what the server sends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from deny_store import config, until

from beyond_gateway.deny.nats_client import connect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nats.aio.msg import Msg

pytestmark = pytest.mark.e2e

INFO = b'INFO {"server_id":"x","version":"2.11.0","max_payload":1048576,"headers":true}\r\n'
HEARTBEAT = b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 2\r\n\r\n"
FLOW = b"NATS/1.0 100 FlowControl Request\r\n\r\n"
# Subscription 1 is another one, 2 is followed.
SENT = b"".join(
    (
        b"MSG $KV.b.blackhole.1 2 $JS.ACK.a 5\r\nspend\r\n",
        b"MSG $KV.b.blackhole.2 2 $JS.ACK.b 21\r\nMSG x 2 y 5\r\nspend\r\n\xff\r\n",
        b"MSG $KV.b.blackhole.3 2 $JS.ACK.c 0\r\n\r\n",
        b"HMSG _INBOX.f 2 %d %d\r\n%s\r\n" % (len(HEARTBEAT), len(HEARTBEAT), HEARTBEAT),
        b"PING\r\n",
        b"MSG $KV.b.blackhole.4 2 $JS.ACK.d 5\r\nfraud\r\n",
        b"MSG other 1 7\r\nfor one\r\n",
        b"MSG other 1 reply 7\r\nfor two\r\n",
        b"MSG $KV.b.blackhole.5 2 $JS.ACK.e 5\r\nspend\r\n",
        b"HMSG _INBOX.f 2 $JS.FC.x %d %d\r\n%s\r\n" % (len(FLOW), len(FLOW), FLOW),
        b"MSG $KV.b.blackhole.6 2 $JS.ACK.f 5\r\nspend\r\n",
    )
)
TAKEN = [
    (b"$KV.b.blackhole.1", b"$JS.ACK.a", b"spend"),
    (b"$KV.b.blackhole.2", b"$JS.ACK.b", b"MSG x 2 y 5\r\nspend\r\n\xff"),
    (b"$KV.b.blackhole.3", b"$JS.ACK.c", b""),
    (b"_INBOX.f", b"", b""),
    (b"$KV.b.blackhole.4", b"$JS.ACK.d", b"fraud"),
    (b"$KV.b.blackhole.5", b"$JS.ACK.e", b"spend"),
    (b"_INBOX.f", b"$JS.FC.x", b""),
    (b"$KV.b.blackhole.6", b"$JS.ACK.f", b"spend"),
]


class Script:
    """A server that greets, waits for the second subscription, and sends the bytes in the given pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.heard = b""
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(INFO)
        while line := await reader.readline():
            self.heard += line
            if line == b"PING\r\n":
                writer.write(b"PONG\r\n")
            if line.startswith(b"SUB ") and line.endswith(b" 2\r\n"):
                for piece in self.pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.0005)
        writer.close()


async def play(pieces: list[bytes]) -> tuple[list[tuple[bytes, bytes, bytes]], list[bytes], bytes]:
    """What was taken, what the other subscription got, and what the client said."""
    script = Script(pieces)
    taken: list[tuple[bytes, bytes, bytes]] = []
    others: list[bytes] = []

    def take(subject: bytes, reply: bytes, data: bytes, headers: Mapping[str, str] | None) -> bytes | None:
        assert (headers is None) is not subject.startswith(b"_INBOX")
        taken.append((subject, reply, data))
        return reply if reply.startswith(b"$JS.FC") else None

    async def other(message: Msg) -> None:
        others.append(message.data)

    async with await asyncio.start_server(script.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = await connect(config(f"nats://127.0.0.1:{port}"))
        try:
            await client.subscribe("other", cb=other)  # pyright: ignore[reportUnknownMemberType] - untyped
            await client.follow("_INBOX.f", take)
            await until(lambda: len(taken) == len(TAKEN) and len(others) == 2, f"all of {taken} {others}")
            await until(lambda: b"PUB $JS.FC.x" in script.heard, "the answer to flow control")
            await until(lambda: b"PONG\r\n" in script.heard, "the answer to the ping")
        finally:
            await client.end()
    return taken, others, script.heard


def test_messages_are_whole_at_every_cut() -> None:
    """In two pieces, cut at every byte, the same messages come in the same order; so they do byte by byte."""

    async def scenario() -> None:
        cuts = [[SENT[:at], SENT[at:]] for at in range(len(SENT))]
        for pieces in [*cuts, [SENT[at : at + 1] for at in range(len(SENT))]]:
            taken, others, _ = await play(pieces)
            assert taken == TAKEN
            assert others == [b"for one", b"for two"]

    asyncio.run(scenario())
