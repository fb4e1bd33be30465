"""The bridge behind `attach`: standard input and output, joined to a serving socket, for clients that come by SSH.

Bytes pass as they are. Whichever side ends, the bridge does, and the run it was watching does not.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from beyond_agent.errors import DONE, AgentFault
from beyond_agent.serve.pipes import Pipe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PIECE: Final = 64 * 1024


async def attach(path: str, *, stdin: int, stdout: int) -> int:
    """Join two descriptors to the socket at `path` until either side ends; return the exit status.

    Raises AgentFault where no server is there.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise AgentFault("io", f"no server at {path}: {why}; start one by `serve --listen-uds {path}`") from None

    async def send(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    def close() -> None:
        # The answers to what was asked still come.
        if writer.can_write_eof():
            writer.write_eof()

    loop = asyncio.get_running_loop()
    there = loop.create_task(_pass_on(Pipe(stdin, "stdin").read, send, close))
    back = loop.create_task(_pass_on(reader.read, Pipe(stdout, "stdout").write))
    try:
        # Behind the end of input the server ends the connection, once all is answered.
        await back
    finally:
        there.cancel()
        await asyncio.wait([there, back])
        writer.transport.abort()
    return DONE


async def _pass_on(
    read: Callable[[int], Awaitable[bytes]],
    write: Callable[[bytes], Awaitable[None]],
    close: Callable[[], None] | None = None,
) -> None:
    """Pass bytes on until there are no more, or nobody takes them."""
    try:
        while piece := await read(PIECE):
            await write(piece)
        if close is not None:
            close()
    except OSError:
        return
