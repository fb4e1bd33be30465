"""`python -m faults.stepped_clock run -c …`: the gateway in a world whose time of day jumps.

Setting the real clock needs privileges and would disturb the whole host. So the two functions through which Python
reads the time of day are replaced before the gateway is imported; everything else is the real process. The monotonic
clock goes on as it is, as it does in the kernel when somebody steps the other.
"""

from __future__ import annotations

import sys
import time

OFFSETS_S = (0, 3600, -3600, 86_400 * 365, -86_400)
"""Seconds by which the time of day is wrong, one after another."""
EVERY_S = 0.07
"""How long each of them lasts: no part of the whole and quarter seconds at which a process looks at its clock."""


def main() -> int:
    """Replace the clock, then be the gateway."""
    real = time.time_ns

    def stepped() -> int:
        return real() + OFFSETS_S[int(time.monotonic() / EVERY_S) % len(OFFSETS_S)] * 1_000_000_000

    time.time_ns = stepped
    time.time = lambda: stepped() / 1e9  # noqa: TID251 - replaced, not read
    from beyond_gateway.__main__ import main as gateway  # noqa: PLC0415 - only now, or it would keep the real clock

    return gateway()


if __name__ == "__main__":
    sys.exit(main())
