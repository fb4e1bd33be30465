"""One client: its commands in order, its answers, and the frames of the session that it is bound to.

    lines -> parse -> handler -> response
                         └─ Later: a task that responds when the work has ended

A handler that need not wait is done before the next command is read. One that starts something returns `Later`, so that
commands go on being taken; the work itself belongs to the session, and outlives the connection.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from beyond_agent import __version__
from beyond_agent.redact import redact
from beyond_agent.serve.commands import COMMANDS, Command, Rejected, parse
from beyond_agent.serve.faults import CommandFault, fault_of
from beyond_agent.serve.fitting import line_of
from beyond_agent.serve.frames import MAX_LINE_IN, MAX_LINE_OUT, PROTOCOL, Closing, Ready, Response
from beyond_agent.serve.lines import TooLong, lines
from beyond_agent.serve.outbox import BACKLOG, Outbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import msgspec

    from beyond_agent.serve.frames import Frame
    from beyond_agent.serve.hub import Hub
    from beyond_agent.serve.live import LiveSession
    from beyond_agent.serve.numbered import Held

FEATURES: Final = ("approvals", "replay", "spill")
"""What a client may count on beside the commands."""
MOVING: Final = frozenset({"new_session", "switch_session"})
"""Commands that a socket takes during a run too, which stays where it is (agent contract, serve: commands)."""


class Later(NamedTuple):
    """An answer that comes when something has ended."""

    answer: Callable[[], Awaitable[msgspec.Struct | None]]


class Connection:
    """A client of `hub`. `write` sends bytes and returns when more may follow.

    A `shared` one is a socket: others may be bound to its session too, it is ended where it does not read, and gets
    numbered frames once it has attached. One that is not shared is stdio.
    """

    def __init__(
        self,
        hub: Hub,
        live: LiveSession,
        handlers: Handlers,
        write: Callable[[bytes], Awaitable[None]],
        *,
        shared: bool,
        backlog: int = BACKLOG,
    ) -> None:
        self.hub = hub
        self.live = live
        self.shared = shared
        self.outbox = Outbox(write, backlog=backlog)
        self._handlers = handlers
        self._later: set[asyncio.Task[None]] = set()
        self._backlog = backlog
        self._closing = False
        hub.hold(live, self)

    # -- commands

    async def serve(self, read: Callable[[int], Awaitable[bytes]]) -> None:
        """Greet, and take commands until there are no more."""
        self.greet()
        async for line in lines(read):
            if self._closing:
                return
            await self._take(line)
            if self.outbox.bytes > 2 * self._backlog:
                # Whoever asks and does not read waits; an abort must get through for longer than that.
                await self.outbox.room()

    def greet(self) -> None:
        """Say what this is, before anything else."""
        live = self.live
        self.send(
            Ready(
                session_id=live.id,
                model=live.chosen.model,
                protocol=PROTOCOL,
                version=__version__,
                capabilities=(*COMMANDS, *FEATURES),
                epoch=live.epoch,
                last_seq=live.frames.last_seq,
                max_line_in=MAX_LINE_IN,
                max_line_out=MAX_LINE_OUT,
                cwd=live.stored.cwd,
            )
        )

    async def answered(self) -> None:
        """Return when all commands that were taken have their responses."""
        while self._later:
            await asyncio.wait(tuple(self._later))

    async def _take(self, line: bytes | TooLong) -> None:
        if isinstance(line, TooLong):
            self._refuse(None, "?", CommandFault("line_too_long", f"a line may have at most {MAX_LINE_IN} bytes"))
            return
        command = parse(line)
        if isinstance(command, Rejected):
            self._refuse(command.id, command.command, CommandFault(command.code, command.error))
            return
        name = str(command.__struct_config__.tag)
        try:
            self._must_be_free(name, command)
            answer = await self._handlers[name](self, command)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one command, the loop lives on
            self._refuse(command.id, name, fault_of(error))
            return
        if isinstance(answer, Later):
            task = asyncio.get_running_loop().create_task(self._finish(command, name, answer), name=f"answer {name}")
            self._later.add(task)
            task.add_done_callback(self._later.discard)
        else:
            self._respond(command, name, answer)

    def _must_be_free(self, name: str, command: Command) -> None:
        """Raise CommandFault for a command that must not come between what is done on the session."""
        if command.during_run or not self.live.working or (self.shared and name in MOVING):
            return
        accepted = ", ".join(each for each, kind in COMMANDS.items() if kind.during_run)
        doing = "a run" if self.live.doing == "prompt" else str(self.live.doing)
        raise CommandFault("busy", f"{doing} is in progress; accepted now: {accepted} (prompt with streaming_behavior)")

    async def _finish(self, command: Command, name: str, later: Later) -> None:
        try:
            self._respond(command, name, await later.answer())
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one command, the loop lives on
            self._refuse(command.id, name, fault_of(error))

    # -- frames

    def send(self, frame: Frame) -> None:
        """Send a frame of this connection alone."""
        self.outbox.put(line_of(frame, self.live.harness.spills))

    def _respond(self, command: Command, name: str, data: msgspec.Struct | None) -> None:
        self.send(Response(id=command.id, command=name, success=True, data=data))

    def _refuse(self, command_id: str | int | None, name: str, fault: CommandFault) -> None:
        text = redact(str(fault), self.hub.harness.secrets)
        self.send(
            Response(id=command_id, command=name, success=False, data=fault.data, error=text, error_code=fault.code)
        )

    def attach(self) -> None:
        """Send the numbered frames of the session from now on."""
        self.live.frames.listen(self._numbered)

    def detach(self) -> None:
        """Send them no longer."""
        self.live.frames.leave(self._numbered)

    def resend(self, held: Held) -> None:
        """Send a frame that was missed."""
        self.outbox.put(held.line)

    def _numbered(self, held: Held) -> None:
        self.outbox.put(held.line, held.key)
        if self.shared and self.outbox.full:
            self.close("slow_consumer", f"more than {self._backlog} bytes wait to be read; attach again to go on")

    # -- the session

    def move(self, live: LiveSession) -> None:
        """Be bound to another session; on stdio it is attached from the start, and the old one is unloaded."""
        old = self.live
        if live is old:
            return
        self.detach()
        self.live = live
        self.hub.hold(live, self)
        self.hub.let_go(old, self)
        if not self.shared:
            self.attach()
            self.hub.unload_now(old)

    def close(self, code: str, text: str) -> None:
        """End the connection with a last frame; what waits to be read is dropped."""
        if not self._closing:
            self._closing = True
            self.detach()
            self.outbox.end_with(line_of(Closing(error_code=code, error=text), self.live.harness.spills))

    def end(self, code: str, text: str) -> None:
        """End the connection with a last frame, behind what waits to be read."""
        if not self._closing:
            self._closing = True
            self.detach()
            self.send(Closing(error_code=code, error=text))
            self.outbox.end()

    def drop(self) -> None:
        """Forget the connection: nobody reads its answers."""
        self._closing = True
        self.detach()
        self.outbox.end()
        for task in self._later:
            task.cancel()
        self.hub.let_go(self.live, self)

    def __repr__(self) -> str:
        return f"<Connection {self.live.id} shared={self.shared} waiting={self.outbox.bytes}>"


if TYPE_CHECKING:
    Handler = Callable[[Connection, Any], Awaitable[msgspec.Struct | Later | None]]
    Handlers = dict[str, Handler]
