"""The first moments of a worker: a copy of its parent becomes a process of its own.

What the copy has of the parent's and must not keep is closed here, before anything else runs. What connects the two
from then on are a socket pair, on which settings come and whose end says that the parent is gone, and a pipe to say
that the worker serves.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, Protocol

from beyond_gateway.errors import OperatorError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

CANNOT_START: Final = 2
"""Exit status of a worker that cannot use its configuration, as of a command (gw contract, commands)."""
OUR_FAULT: Final = 70
"""Exit status of a worker that met a fault of our own: EX_SOFTWARE (sysexits.h)."""
_PR_SET_PDEATHSIG: Final = 1
SETTINGS: Final = b"S"
"""First byte of the only message to a worker; an empty one would look like the end of its parent."""
MOST_SETTINGS: Final = 1024 * 1024
"""Bytes of the longest message; the kernel's own limit for one is lower (net.core.wmem_default)."""


class Child(NamedTuple):
    """What a worker gets from its parent: its slot, the socket it is told things on, the pipe to say that it serves."""

    slot: int
    control: socket.socket
    ready: int

    def say_ready(self) -> None:
        """Tell the parent that this worker serves; one that is gone has sent its last signal already."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.ready, self.slot.to_bytes(2, "big"))


class Host(Protocol):
    """What a parent is given: how a worker lives, where settings come from, how the port is closed."""

    @property
    def grace_s(self) -> float:
        """Seconds that streams may still run after a signal to stop."""
        ...

    def work(self, child: Child) -> int:
        """Be a worker until told to stop; return its exit status. Called in the child."""
        ...

    def read_again(self) -> bytes:
        """Return the text of the settings for the workers. Raises OperatorError where they cannot be used."""
        ...

    def stop_listening(self) -> None:
        """Close the clients' sockets."""
        ...


def become(work: Callable[[], int], let_go: Callable[[], None], parent: int) -> NoReturn:
    """Turn this process, a copy of the `parent` just made, into a worker that does `work`; end with its status.

    The kernel tells it to stop when the parent dies, at whatever moment that is (prctl(2)). `let_go` closes what
    belongs to the parent. Signals to stop are blocked by the caller until the copy is its own.
    """
    status = OUR_FAULT
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT))
        let_go()
        # A parent that died before the kernel was asked is not told of.
        status = work() if os.getppid() == parent else 0
    except OperatorError as error:
        sys.stderr.write(f"beyond-ai: {error}\n")
        status = CANNOT_START
    except BaseException:  # noqa: BLE001 - the last frame of the process: nobody above could see it
        traceback.print_exc()
    finally:
        # The parent's clean-up at exit is not the worker's.
        sys.stderr.flush()
        os._exit(status)
