"""Remember verified managed keys, so that a signature is checked once, and cap how many are checked a second.

Verification is the only real CPU cost of admission: some 54 us, where all the rest of a request takes 25. Remembering
makes it free for keys in use. A flood of distinct forged keys is never remembered, so each would cost a verification:
the cap keeps such a flood below about a tenth of a core. A key over the cap may be good, so it is told to come back
(429), never that it is invalid (401).
"""

from collections.abc import Mapping

from nacl.signing import VerifyKey

from beyond_gateway.errors import INVALID_KEY, RATE_LIMITED, Refusal
from beyond_gateway.generations import Generations
from beyond_gateway.managed_key import Identity, parse, signature_holds

# 65,536 keys take some 25 MB; 2,000 checks are 11 % of a core (gw contract, design decided by measurement).
ENTRIES = 65_536
CHECKS_PER_SECOND = 2_000


class VerifiedKeys:
    """Verifies managed keys against a keyring, with a bounded memory of those that held. One per worker."""

    __slots__ = ("_checks_per_second", "_checks_used", "_keyring", "_remembered", "_window")

    def __init__(
        self,
        keyring: Mapping[int, VerifyKey],
        *,
        entries: int = ENTRIES,
        checks_per_second: int = CHECKS_PER_SECOND,
    ) -> None:
        self._keyring = dict(keyring)
        self._remembered: Generations[bytes, Identity] = Generations(entries)
        self._checks_per_second = checks_per_second
        self._window = float("-inf")
        self._checks_used = 0

    def __len__(self) -> int:
        return len(self._remembered)

    def __repr__(self) -> str:
        return f"<VerifiedKeys kids={sorted(self._keyring)} remembered={len(self)}>"

    def check(self, token: bytes, now: float) -> Identity | Refusal:
        """Identity of a key whose signature holds, else 401, or 429 when too many unknown keys came in this second.

        `now` is monotonic seconds. Blocks for one verification, and only at the first sight of a key.
        """
        identity = self._remembered.young.get(token)
        return identity if identity is not None else self._first_seen(token, now)

    def replace_keyring(self, keyring: Mapping[int, VerifyKey]) -> None:
        """Verify with this keyring from now on; keys of a kid that is gone or has another public key are forgotten."""
        for kid, public in self._keyring.items():
            if keyring.get(kid) != public:
                self.forget(kid)
        self._keyring = dict(keyring)

    def forget(self, kid: int) -> None:
        """Drop every remembered key of this kid; O(remembered)."""
        self._remembered.forget(lambda identity: identity.kid == kid)

    def _first_seen(self, token: bytes, now: float) -> Identity | Refusal:
        identity = self._remembered.recall(token)
        if identity is not None:
            return identity
        key = parse(token)
        if key is None or key.identity.kid not in self._keyring:
            return INVALID_KEY
        if not self._may_check(now):
            return RATE_LIMITED
        if not signature_holds(key, self._keyring):
            return INVALID_KEY
        self._remembered.keep(token, key.identity)
        return key.identity

    def _may_check(self, now: float) -> bool:
        if now - self._window >= 1.0:
            self._window = now
            self._checks_used = 0
        self._checks_used += 1
        return self._checks_used <= self._checks_per_second
