"""What the provider saw: requests as received, for tests to assert on."""

import base64
import hashlib
from collections import deque

from beyond_gateway.mock.frames import Json

KEPT_REQUESTS = 1_000
KEPT_BODY_BYTES = 1 << 20


class Recorded:
    """One request as it arrived; it fills in while it is being served. Times are monotonic seconds."""

    def __init__(
        self, *, method: str, target: str, headers: list[tuple[str, str]], connection: int, received_at: float
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers  # in order, names as spelled
        self.connection = connection  # counts connections from 1
        self.received_at = received_at
        self.body = bytearray()  # the first 1 MiB
        self.size = 0  # body bytes received, kept or not
        self.complete = False  # the whole request arrived
        self.answered = False  # the whole answer was handed to the socket
        self.aborted = False  # the client went away before that
        self.aborted_at: float | None = None
        self._digest = hashlib.sha256()

    def __repr__(self) -> str:
        state = "aborted" if self.aborted else "answered" if self.answered else "open"
        return f"<Recorded {self.method} on connection {self.connection}, {self.size} body bytes, {state}>"

    @property
    def sha256(self) -> str:
        """Hex digest of all body bytes received so far."""
        return self._digest.hexdigest()

    def take(self, data: bytes) -> None:
        """Count body bytes and keep them as long as there is room."""
        self.size += len(data)
        self._digest.update(data)
        self.body += data[: KEPT_BODY_BYTES - len(self.body)]

    def abort(self, now: float) -> None:
        """Note that the client went away."""
        self.aborted, self.aborted_at = True, now

    def to_json(self) -> Json:
        """All fields; the body as `body` text, or as `body_base64` when it is not UTF-8."""
        shown: Json = {name: value for name, value in vars(self).items() if name not in ("body", "_digest")}
        try:
            shown["body"] = self.body.decode()
        except UnicodeDecodeError:
            shown["body_base64"] = base64.b64encode(self.body).decode()
        return shown | {"sha256": self.sha256}


def new_log() -> deque[Recorded]:
    """Return a log that keeps the last requests only."""
    return deque(maxlen=KEPT_REQUESTS)
