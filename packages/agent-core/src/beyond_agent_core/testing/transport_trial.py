"""One request of a transport under test to a server that plays a script, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self, TypeAlias, cast

from beyond_agent_core.testing.model_server import ModelServer
from beyond_agent_core.transport import ModelTransport, TransportFailed, fault_of
from beyond_wire.errors import WireError
from beyond_wire.types import ModelRequest, TextDelta, user

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence

    from beyond_agent_core.errors import RunFault
    from beyond_agent_core.testing.model_server_script import Entry
    from beyond_wire.types import DialectName, StreamEvent

TransportFactory: TypeAlias = Callable[[str, Callable[[], str]], ModelTransport]
"""Makes the transport under test for a base URL and credentials. A `close` that it has is called after use."""

KEY: Final = "k3y-0f-the-trial-0123456789"
"""Key that the trials send. It has none of the shapes that a redacting function would know."""
MODELS: Final[dict[DialectName, str]] = {"anthropic": "claude-opus-4-8", "chat": "maker/model", "responses": "gpt-5.1"}
"""A model of each dialect."""
PATIENCE_S: Final = 2.0
"""How long a trial waits for what should come at once."""


class _Keeper(logging.Handler):
    """Keeps what is logged, whoever logs it."""

    def __init__(self, kept: list[str]) -> None:
        super().__init__()
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append(record.getMessage())


class Trial:
    """A server and a transport before it, in an `async with` block. `events`, `error` and `logged` tell what came."""

    def __init__(
        self,
        factory: TransportFactory,
        script: Sequence[Entry],
        *,
        suffix: str = "",
        credentials: Callable[[], str] = lambda: KEY,
    ) -> None:
        self.server = ModelServer(script)
        self.transport = factory(self.server.url + suffix, credentials)
        self.events: list[StreamEvent] = []
        self.error: Exception | None = None
        self.logged: list[str] = []

    async def __aenter__(self) -> Self:
        self.server.__enter__()
        return self

    async def __aexit__(self, *about: object) -> None:
        close = getattr(self.transport, "close", None)
        if close is not None:
            close()
        self.server.__exit__(None, None, None)

    async def ask(self, dialect: DialectName = "anthropic") -> Self:
        """Make a request and take its answer to the end, or to the error that it raises."""
        self.events, self.error = [], None
        with self._logs():
            try:
                async with asyncio.timeout(PATIENCE_S), contextlib.aclosing(self.open(dialect)) as events:
                    async for event in events:
                        self.events.append(event)
            except Exception as error:  # noqa: BLE001 - judged by the rule that asked
                self.error = error
        return self

    def open(self, dialect: DialectName = "anthropic") -> AsyncGenerator[StreamEvent]:
        """Return the iterator of a request."""
        return cast("AsyncGenerator[StreamEvent]", self.transport.stream(request_for(dialect)))

    async def left(self, count: int = 1) -> bool:
        """Whether the transport ends `count` connections before the answers on them had their end."""
        return await asyncio.to_thread(self.server.until, lambda server: server.left >= count, PATIENCE_S)

    @property
    def fault(self) -> RunFault | None:
        """What the error is to the loop, None where there is none or where it is not a typed one."""
        if isinstance(self.error, TransportFailed | WireError):
            return fault_of(self.error, started=bool(self.events))
        return None

    @property
    def text(self) -> str:
        """The text that came."""
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    def told(self) -> str:
        """All that a person may come to read of the request."""
        shown = [repr(self.transport), *self.logged]
        if self.error is not None:
            shown += [repr(self.error), *traceback.format_exception(self.error)]
        return "\n".join(shown)

    @contextlib.contextmanager
    def _logs(self) -> Generator[None]:
        keeper, root = _Keeper(self.logged), logging.getLogger()
        level = root.level
        root.addHandler(keeper)
        root.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            root.setLevel(level)
            root.removeHandler(keeper)


def request_for(dialect: DialectName) -> ModelRequest:
    """Return the request that the trials make."""
    return ModelRequest(model=MODELS[dialect], messages=(user("say something"),), max_tokens=100)
