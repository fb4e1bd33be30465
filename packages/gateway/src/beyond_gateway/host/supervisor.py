"""The parent of several workers: forks them, restarts one that dies, passes signals and settings on, and waits.

                    ┌─────────────── SIGCHLD: restart, count what was lost ───────────────┐
    fork workers ───┴─► watch ── SIGHUP: load, then send the text to every worker ─────────┤
                          └───── SIGTERM: tell every worker, wait until the last is gone ──┘

It serves no byte and runs no event loop: nothing that a request can do reaches it, and forking is safe, because there
is no thread and no loop to copy. Workers are forked, not started afresh: they share what was imported, the sockets, the
memory of `shared` and the seed of Python's hash, and a successor is there in milliseconds. What it says to a worker
goes through a socket pair, whose end tells the worker that its parent is gone.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import time
from typing import TYPE_CHECKING, Final

from beyond_gateway.errors import OperatorError
from beyond_gateway.host.child import SETTINGS, Child, become
from beyond_gateway.metrics.cells import count_restart, retire

if TYPE_CHECKING:
    from beyond_gateway.host.child import Host
    from beyond_gateway.host.notify import Notifier
    from beyond_gateway.host.shared import Shared
    from beyond_gateway.log import Log

FIRST_PAUSE_S: Final = 0.05
"""Wait before a worker that died within a second of its start is started again; doubles with each such death."""
LONGEST_PAUSE_S: Final = 1.0
"""What waits in the queue of a worker that cannot start must not wait longer than a client does."""
QUICK_DEATH_S: Final = 1.0
"""A worker that lived longer is started again at once."""
LAST_WAIT_S: Final = 15.0
"""Seconds beyond the grace period until a worker that does not end is killed: it has last bytes and rows to write."""
SEND_AGAIN_S: Final = 0.05
"""Pause before settings are offered again to a worker that has not taken the last ones."""
_STOPS: Final = (signal.SIGTERM, signal.SIGINT)


class _Worker:
    """A worker as its parent sees it; times are monotonic seconds."""

    __slots__ = ("control", "owed", "pause_s", "pid", "serves", "slot", "start_at", "started")

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.pid = 0
        self.control: socket.socket | None = None
        self.owed: bytes | None = None
        self.serves = False
        self.started = 0.0
        self.start_at = 0.0
        self.pause_s = FIRST_PAUSE_S


class Supervisor:
    """Runs the workers of a host."""

    def __init__(self, host: Host, shared: Shared, log: Log, notifier: Notifier) -> None:
        self._host = host
        self._shared = shared
        self._log = log
        self._notifier = notifier
        self._workers = [_Worker(slot) for slot in range(shared.workers)]
        self._ready_read, self._ready_write = os.pipe()
        self._signal_read, self._signal_write = os.pipe()
        self._kill_at: float | None = None
        self._alive_at = 0.0
        self._said_ready = False
        self._status = 0

    def run(self) -> int:
        """Serve until a signal ends it; return 0 after a clean end, else what the worst worker returned."""
        for end in (self._ready_read, self._signal_read, self._signal_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._signal_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, _noted)
        gc.collect()
        gc.freeze()
        with selectors.DefaultSelector() as selector:
            selector.register(self._signal_read, selectors.EVENT_READ, self._on_signals)
            selector.register(self._ready_read, selectors.EVENT_READ, self._on_ready)
            self._start_all()
            while not self._ended:
                for key, _ in selector.select(self._wait_s()):
                    key.data()
                self._reap()
                self._by_the_clock()
        return self._status

    @property
    def _draining(self) -> bool:
        return self._kill_at is not None

    @property
    def _ended(self) -> bool:
        return self._draining and not any(worker.pid for worker in self._workers)

    # -- starting

    def _start_all(self) -> None:
        """Fork the first workers; where one cannot be made there is no gateway, and those before it end."""
        for worker in self._workers:
            self._start(worker)
            if not worker.pid:
                self._status = 1
                self._drain()
                return

    def _start(self, worker: _Worker) -> None:
        """Fork a worker; where the system has no room for one it is tried again, and the others serve on."""
        try:
            self._fork(worker)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self._log.warning("a worker cannot be started", slot=worker.slot, error=reason)
            self._let_control_go(worker)
            worker.start_at = time.monotonic() + worker.pause_s
            worker.pause_s = min(2 * worker.pause_s, LONGEST_PAUSE_S)

    def _fork(self, worker: _Worker) -> None:
        # Whole messages or none: a worker never meets half of the settings.
        worker.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        worker.control.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        worker.serves, worker.owed = False, None
        worker.started = time.monotonic()
        # A signal to stop that came to the copy before it has its own handlers would be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        parent = os.getpid()
        try:
            worker.pid = os.fork()
            if not worker.pid:
                child = Child(worker.slot, theirs, self._ready_write)
                become(lambda: self._host.work(child), self._let_go, parent)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
            theirs.close()

    def _let_go(self) -> None:
        """Close, in a worker, the parent's ends: a copy of one would hide from others that the parent is gone."""
        for worker in self._workers:
            if worker.control is not None:
                worker.control.close()
        for end in (self._ready_read, self._signal_read, self._signal_write):
            os.close(end)

    def _on_ready(self) -> None:
        slots = os.read(self._ready_read, 4096)
        for at in range(0, len(slots), 2):
            self._workers[int.from_bytes(slots[at : at + 2], "big")].serves = True
        if not self._said_ready and not self._draining and all(worker.serves for worker in self._workers):
            self._said_ready = True
            self._notifier.ready()

    # -- ending and restarting

    def _reap(self) -> None:
        while True:
            try:
                pid, raw = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            worker = next((one for one in self._workers if one.pid == pid), None)
            if worker is not None:
                self._buried(worker, os.waitstatus_to_exitcode(raw))

    def _buried(self, worker: _Worker, status: int) -> None:
        """Close what belonged to a worker that is gone, count what it took along, and plan its successor."""
        now = time.monotonic()
        pid, worker.pid = worker.pid, 0
        self._let_control_go(worker)
        lost = retire(self._shared.metrics(worker.slot))
        if status > 0 and not self._said_ready:
            # It could not begin, and neither could the next: better no gateway than a circle of restarts.
            self._status = status
            self._drain()
            return
        if self._draining:
            # One that was told to stop before it served dies of the signal, which is as good an end.
            self._status = self._status or (0 if status == 0 or -status in _STOPS else 1)
            return
        count_restart(self._shared.metrics(worker.slot))
        ended = signal.Signals(-status).name if status < 0 else f"status {status}"
        self._log.warning("worker ended; another takes its place", pid=pid, slot=worker.slot, by=ended, rows_lost=lost)
        if now - worker.started >= QUICK_DEATH_S:
            worker.pause_s = FIRST_PAUSE_S
            worker.start_at = now
        else:
            worker.start_at = now + worker.pause_s
            worker.pause_s = min(2 * worker.pause_s, LONGEST_PAUSE_S)

    def _let_control_go(self, worker: _Worker) -> None:
        if worker.control is not None:
            worker.control.close()
            worker.control = None

    def _by_the_clock(self) -> None:
        now = time.monotonic()
        watchdog_s = self._notifier.watchdog_s
        if watchdog_s is not None and now >= self._alive_at:
            self._alive_at = now + watchdog_s / 3
            self._notifier.alive()
        if self._kill_at is None:
            for worker in self._workers:
                if not worker.pid and worker.start_at <= now:
                    self._start(worker)
                elif worker.owed is not None:
                    self._offer(worker, worker.owed)
        elif now >= self._kill_at:
            self._log.warning("a worker did not end in its time and is killed")
            self._tell(signal.SIGKILL)

    def _wait_s(self) -> float | None:
        """Return the seconds until something is due, None where only an event can bring work."""
        now = time.monotonic()
        due = [] if self._notifier.watchdog_s is None else [self._alive_at]
        if self._kill_at is not None:
            due.append(self._kill_at)
        else:
            due += [worker.start_at for worker in self._workers if not worker.pid]
            due += [now + SEND_AGAIN_S for worker in self._workers if worker.owed is not None]
        return max(0.0, min(due) - now) if due else None

    # -- signals

    def _on_signals(self) -> None:
        arrived = set(os.read(self._signal_read, 4096))
        if arrived & {signal.SIGTERM, signal.SIGINT}:
            self._drain()
        elif signal.SIGHUP in arrived and not self._draining:
            self._pass_settings_on()

    def _drain(self) -> None:
        if self._draining:
            return
        self._kill_at = time.monotonic() + self._host.grace_s + LAST_WAIT_S
        self._notifier.stopping()
        self._host.stop_listening()
        self._tell(signal.SIGTERM)

    def _tell(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, number)

    def _pass_settings_on(self) -> None:
        """Read the settings once, and give the workers what was read: a file edited meanwhile cannot part them."""
        self._notifier.reloading()
        try:
            text = self._host.read_again()
        except OperatorError as error:
            self._log.warning("reload refused; the settings stay as they were", error=str(error))
        else:
            for worker in self._workers:
                if worker.control is not None:
                    self._offer(worker, text)
        self._notifier.ready()

    def _offer(self, worker: _Worker, text: bytes) -> None:
        """Send settings to a worker; where it has not taken the last ones, only the newest wait for it."""
        worker.owed = None
        if worker.control is None:
            return
        try:
            worker.control.send(SETTINGS + text)
        except BlockingIOError:
            worker.owed = text
        except OSError as error:
            self._log.warning("settings cannot be passed on", slot=worker.slot, error=error.strerror or "closed")


def _noted(number: int, frame: object) -> None:
    """Do nothing: the byte in the wake-up pipe says which signal came."""
