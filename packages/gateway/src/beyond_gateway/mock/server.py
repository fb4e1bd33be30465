"""The embedded provider: a server for every vendor path, with a record of what it received."""

import asyncio
import ssl

from beyond_gateway.mock.answer import Answer, answer
from beyond_gateway.mock.connection import Connection
from beyond_gateway.mock.directives import Directives
from beyond_gateway.mock.frames import Json, encode
from beyond_gateway.mock.http1 import Request
from beyond_gateway.mock.record import Recorded, new_log
from beyond_gateway.mock.script import Script

ADMIN = "/_mock/"


class MockProvider:
    """A provider of all wire formats on one port, for tests and for trying the gateway without a key.

    `requests` holds what it received, oldest first, at most 1,000; over HTTP the same stands at `GET /_mock/requests`.
    """

    def __init__(self, script: Script | None = None) -> None:
        self.requests = new_log()
        self.accepted = 0  # connections ever
        self._script = script or Script()
        self._answers = 0
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    @property
    def open_connections(self) -> int:
        """Connections open now."""
        return len(self._connections)

    async def start(self, host: str = "127.0.0.1", port: int = 0, ssl: ssl.SSLContext | None = None) -> int:
        """Listen and return the port; port 0 lets the kernel choose. OSError when the address is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), host, port, ssl=ssl)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening, abort what is open, and return when every task has ended."""
        if self._server:
            self._server.close()
        tasks = [connection.task for connection in self._connections]
        for connection in list(self._connections):
            connection.transport.abort()
        if tasks:
            await asyncio.wait(tasks)

    def opened(self, connection: Connection) -> int:
        """Register a connection and give its number, from 1."""
        self._connections.add(connection)
        self.accepted += 1
        return self.accepted

    def closed(self, connection: Connection) -> None:
        """Forgets a connection."""
        self._connections.discard(connection)

    def record(self, recorded: Recorded) -> None:
        """Keep a request, the provider's own `/_mock/` pages excepted."""
        if not recorded.target.startswith(ADMIN):
            self.requests.append(recorded)

    def answer(self, request: Request) -> Answer:
        """Return the answer to one request."""
        if request.path.startswith(ADMIN):
            return self._admin(request)
        self._answers += 1
        return answer(request, self._script, self._answers)

    def _admin(self, request: Request) -> Answer:
        status, payload = 200, dict[str, object]()
        if (request.method, request.path) == ("GET", ADMIN + "requests"):
            payload["requests"] = [recorded.to_json() for recorded in self.requests]
        elif (request.method, request.path) == ("DELETE", ADMIN + "requests"):
            self.requests.clear()
        elif (request.method, request.path) == ("GET", ADMIN + "connections"):
            payload = self._counts()
        else:
            status, payload = 404, {"error": f"no such page: {request.method} {request.path}"}
        body = encode(payload)
        return Answer(status, [("content-type", "application/json")], [body], len(body), Directives(length=True))

    def _counts(self) -> Json:
        return {"open": self.open_connections, "accepted": self.accepted}
