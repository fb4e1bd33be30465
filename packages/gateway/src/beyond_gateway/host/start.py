"""From settings to a serving host: one plain process for one worker, a parent with workers for more."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

import uvloop

from beyond_gateway.app import Place, place_alone, serve, stop_on_signals
from beyond_gateway.config_load import parse, read_text
from beyond_gateway.dialer import client_context, tls_settings
from beyond_gateway.host.child import MOST_SETTINGS, SETTINGS
from beyond_gateway.host.limits import raise_open_files, usable_cores
from beyond_gateway.host.notify import Notifier
from beyond_gateway.host.shared import Shared
from beyond_gateway.host.sockets import address_of, listen
from beyond_gateway.host.supervisor import Supervisor
from beyond_gateway.log import Log
from beyond_gateway.providers import build_table
from beyond_gateway.usage_rows import LineWriter

if TYPE_CHECKING:
    from pathlib import Path

    from beyond_gateway.app import Reload
    from beyond_gateway.config import Config
    from beyond_gateway.host.child import Child
    from beyond_gateway.host.sockets import Sockets


class Source:
    """Where settings come from: a file, or none, and the environment that the process was started with."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._tls: tuple[object, ...] = ()
        self.config = self.take(read_text(path))

    def take(self, text: str) -> Config:
        """Return what `text` and the environment say; it is in force from now on. Raises OperatorError."""
        config = parse(text, self._path, os.environ)
        self._check(config)
        self.config = config
        return config

    def read_again(self) -> tuple[str, Config]:
        """Return the file's text and what it says now. Raises OperatorError, and then nothing has changed."""
        text = read_text(self._path)
        return text, self.take(text)

    def _check(self, config: Config) -> None:
        """Find what only its use would show, here where one process says it once. Raises OperatorError."""
        settings = tls_settings(config)
        if settings != self._tls:
            client_context(config)
            self._tls = settings
        if config.nats_url is not None:
            from beyond_gateway.deny.nats_client import credentials  # noqa: PLC0415 - 100 ms that only this needs

            credentials(config)


def start(source: Source) -> int:
    """Serve; return 0 after a clean stop, 1 where usage rows could not be written. Raises OperatorError."""
    # A reload asked for before anybody listens to it would end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    open_files = raise_open_files()
    workers = source.config.workers or usable_cores()
    notifier = Notifier.from_environment(os.environ)
    if workers == 1:
        place, close_sockets = place_alone(source.config, open_files)
        try:
            return _run(source, place, notifier)
        finally:
            close_sockets()
    sockets = listen(source.config, workers)
    try:
        shared = Shared(workers)
        shared.register(row.name for row in build_table(source.config).values())
        host = Host(source, sockets, shared, open_files)
        host.say_listening()
        return Supervisor(host, shared, host.log, notifier).run()
    finally:
        sockets.close()


def _run(source: Source, place: Place, notifier: Notifier) -> int:
    async def main() -> int:
        stop = asyncio.Event()
        stop_on_signals(stop)

        def read_again() -> Config:
            config = source.read_again()[1]
            place.shared.register(row.name for row in build_table(config).values())
            return config

        def attach(reload: Reload) -> None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload, read_again)

        return await serve(source.config, place, stop=stop, attach=attach, notifier=notifier)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return 1 if runner.run(main()) else 0


class Host:
    """What several workers are made of, for their parent."""

    def __init__(self, source: Source, sockets: Sockets, shared: Shared, open_files: int) -> None:
        self.log = Log(LineWriter(2, None, dropping=True), time.monotonic)
        self._source = source
        self._sockets = sockets
        self._shared = shared
        self._open_files = open_files

    def say_listening(self) -> None:
        """Tell where the host listens, once for all workers."""
        for line in self._source.config.warnings():
            self.log.warning(line)
        addresses = {"address": address_of(self._sockets.clients[0]), "metrics": address_of(self._sockets.admin)}
        self.log.info("listening", **addresses, workers=self._shared.workers)

    @property
    def grace_s(self) -> float:
        """Seconds that streams may still run after a signal to stop."""
        return self._source.config.shutdown_grace_period_secs

    def read_again(self) -> bytes:
        """Return the text of the settings, read again, for the workers. Raises OperatorError."""
        text, config = self._source.read_again()
        self._shared.register(row.name for row in build_table(config).values())
        return text.encode()

    def stop_listening(self) -> None:
        """Close the clients' sockets, or their port would stay open behind workers that have closed it."""
        for listener in self._sockets.clients:
            listener.close()

    def work(self, child: Child) -> int:
        """Be a worker until told to stop; return its exit status. Called in the child."""
        mine = self._sockets.clients[child.slot]
        for listener in self._sockets.clients:
            if listener is not mine:
                listener.close()
        place = Place(mine, self._sockets.admin, self._shared, slot=child.slot, open_files=self._open_files)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return 1 if runner.run(self._serve(child, place)) else 0

    async def _serve(self, child: Child, place: Place) -> int:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        stop_on_signals(stop)

        def told(reload: Reload) -> None:
            message = child.control.recv(MOST_SETTINGS)
            if message:
                reload(lambda: self._source.take(message.removeprefix(SETTINGS).decode()))
            else:
                # The parent is gone, and with it whoever would restart or stop us.
                loop.remove_reader(child.control)
                stop.set()

        return await serve(
            self._source.config,
            place,
            stop=stop,
            attach=lambda reload: loop.add_reader(child.control, told, reload),
            ready=lambda _: child.say_ready(),
        )
