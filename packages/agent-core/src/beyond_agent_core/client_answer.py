"""Answers as h11 reads them: bytes in, a head and pieces of a body out. No I/O.

Imported once a first request is on its way, because it takes 12 ms of a start whose whole budget is 150. What was asked
is told to h11 only so that it knows which answer may come; the bytes that it would have sent are not wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h11

from beyond_agent_core.client_headers import NotHttp

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_HEAD: Final = 65_536
"""Longest head of an answer, in bytes; servers send a tenth of it."""


class Answers:
    """The answers on one connection, one after the other."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)

    @property
    def again(self) -> bool:
        """Whether a further request may follow: both sides are done and nothing came behind the answer."""
        done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        return done and not self._http.trailing_data[0]

    def asked(self, target: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Take note of the request that was sent. Raises ValueError where it is not HTTP."""
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        try:
            self._http.send(h11.Request(method="POST", target=target, headers=list(headers)))
            self._http.send_with_data_passthrough(h11.Data(data=body))
            self._http.send(h11.EndOfMessage())
        except h11.LocalProtocolError:
            # The cause would quote the header, and one of them is the key.
            raise ValueError("not HTTP") from None

    def take(self, data: bytes) -> None:
        """Take bytes as they come, none at the end of the connection. Raises NotHttp."""
        try:
            self._http.receive_data(data)
        except h11.RemoteProtocolError:
            raise NotHttp from None

    def head(self) -> tuple[int, dict[str, str]] | None:
        """Return status and fields of the answer, None where more bytes are wanted. Raises NotHttp.

        Names are in lower case, equal ones joined by commas; interim answers are passed over.
        """
        event = self._next()
        while isinstance(event, h11.InformationalResponse):
            event = self._next()
        if event is None:
            return None
        if not isinstance(event, h11.Response):
            raise NotHttp
        fields: dict[str, str] = {}
        for raw_name, raw_value in event.headers:
            name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        return event.status_code, fields

    def piece(self) -> bytes | None:
        """Return the next bytes of the body, empty at its end, None where more bytes are wanted. Raises NotHttp."""
        event = self._next()
        if event is None:
            return None
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    def _next(self) -> object:
        try:
            event = self._http.next_event()
        except h11.RemoteProtocolError:
            # The cause would quote what the server sent, which may be anything.
            raise NotHttp from None
        return None if event is h11.NEED_DATA else event

    def __repr__(self) -> str:
        return f"<Answers {self._http.our_state}/{self._http.their_state}>"
