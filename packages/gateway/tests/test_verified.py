"""Memory of verified keys and the cap on first-seen ones."""

from beyond_gateway.errors import INVALID_KEY, RATE_LIMITED
from beyond_gateway.managed_key import Identity, decode_key, keyring, mint, signing_key
from beyond_gateway.verified import VerifiedKeys

SEED, OTHER_SEED = bytes([7]) * 32, bytes([8]) * 32
PUBLIC = decode_key("6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=")
OTHER_PUBLIC = signing_key(OTHER_SEED).verify_key.encode()
RING = keyring({1: PUBLIC})


def token(tenant: int = 1, kid: int = 1, seed: bytes = SEED) -> bytes:
    return mint(seed, kid, tenant, 1).encode()


def test_a_good_key_gives_its_identity_at_first_and_at_second_sight() -> None:
    """Remembering changes the cost, not the answer."""
    verified = VerifiedKeys(RING)
    assert verified.check(token(5), 0.0) == Identity(1, 5, 1, None)
    assert verified.check(token(5), 0.0) == Identity(1, 5, 1, None)
    assert len(verified) == 1


def test_bad_keys_are_invalid_and_never_remembered() -> None:
    """Malformed, forged and unknown-kid keys are 401 and take no memory."""
    verified = VerifiedKeys(RING)
    for bad in (b"bai_v3.x", token(seed=OTHER_SEED), token(kid=2)):
        assert verified.check(bad, 0.0) is INVALID_KEY
    assert len(verified) == 0


def test_a_flood_of_forged_keys_is_told_to_come_back() -> None:
    """Above the cap the answer is 429, never 401, also for a good key; the next second starts afresh."""
    verified = VerifiedKeys(RING, checks_per_second=2)
    for tenant in (1, 2):
        assert verified.check(token(tenant, seed=OTHER_SEED), 10.0) is INVALID_KEY
    assert verified.check(token(3, seed=OTHER_SEED), 10.5) is RATE_LIMITED
    assert verified.check(token(4), 10.999) is RATE_LIMITED
    assert verified.check(token(4), 11.0) == Identity(1, 4, 1, None)


def test_known_keys_pass_during_a_flood() -> None:
    """A remembered key costs no check and is served while the cap is used up."""
    verified = VerifiedKeys(RING, checks_per_second=1)
    assert verified.check(token(1), 0.0) == Identity(1, 1, 1, None)
    assert verified.check(token(2), 0.0) is RATE_LIMITED
    assert verified.check(token(1), 0.0) == Identity(1, 1, 1, None)


def test_keys_that_cost_no_verification_do_not_use_the_cap() -> None:
    """Malformed keys and unknown kids are refused before any crypto and leave the cap to others."""
    verified = VerifiedKeys(RING, checks_per_second=1)
    for _ in range(3):
        assert verified.check(b"bai_v1.junk", 0.0) is INVALID_KEY
        assert verified.check(token(kid=9), 0.0) is INVALID_KEY
    assert verified.check(token(1), 0.0) == Identity(1, 1, 1, None)


def test_memory_is_bounded_and_keeps_what_is_used() -> None:
    """However many keys come, the bound holds, and one in steady use is never verified again."""
    verified = VerifiedKeys(RING, entries=8, checks_per_second=1)
    assert verified.check(token(0), 0.0) == Identity(1, 0, 1, None)
    for tenant in range(1, 40):
        now = float(tenant)
        assert verified.check(token(tenant), now) == Identity(1, tenant, 1, None)
        assert len(verified) <= 8
        # The cap of this second is used up, so only memory can answer.
        assert verified.check(token(0), now) == Identity(1, 0, 1, None)


def test_a_flood_of_forged_keys_displaces_no_good_one() -> None:
    """What does not verify takes no memory, so good keys stay remembered however many forged ones come."""
    verified = VerifiedKeys(RING, entries=2, checks_per_second=50)
    assert verified.check(token(1), 0.0) == Identity(1, 1, 1, None)
    forged = mint(OTHER_SEED, 1, 2, 1).encode()
    for number in range(200):
        verified.check(forged[:-6] + b"%04d" % number + forged[-2:], 0.5)
    assert verified.check(token(2), 0.6) is RATE_LIMITED
    assert verified.check(token(1), 0.6) == Identity(1, 1, 1, None)


def test_a_key_that_moves_between_generations_is_held_once() -> None:
    """A hit in the old generation takes the key out of it."""
    verified = VerifiedKeys(RING, entries=4)
    for tenant in (0, 1, 2, 0):
        verified.check(token(tenant), 0.0)
    assert len(verified) == 3


def test_a_key_unused_for_two_generations_is_forgotten() -> None:
    """An idle key makes room and must be verified again."""
    verified = VerifiedKeys(RING, entries=4, checks_per_second=1)
    for tenant in range(8):
        verified.check(token(tenant), float(tenant))
    assert verified.check(token(0), 7.5) is RATE_LIMITED


def test_removing_a_kid_forgets_its_keys() -> None:
    """After a reload without the kid its keys are invalid, in both generations, and others stay remembered."""
    ring = keyring({1: PUBLIC, 2: OTHER_PUBLIC})
    verified = VerifiedKeys(ring, entries=4)
    gone = [token(tenant, 1) for tenant in range(3)]
    kept = token(9, 2, OTHER_SEED)
    for key in [*gone, kept]:
        verified.check(key, 0.0)
    verified.replace_keyring(keyring({2: OTHER_PUBLIC}))
    assert len(verified) == 1
    assert [verified.check(key, 0.0) for key in gone] == [INVALID_KEY] * 3
    assert verified.check(kept, 0.0) == Identity(2, 9, 1, None)


def test_a_kid_with_a_new_public_key_forgets_the_old_ones_keys() -> None:
    """Replacing the key behind a kid is as good as removing it; keeping it keeps the memory."""
    verified = VerifiedKeys(RING)
    verified.check(token(1), 0.0)
    verified.replace_keyring(keyring({1: PUBLIC, 3: OTHER_PUBLIC}))
    assert len(verified) == 1
    verified.replace_keyring(keyring({1: OTHER_PUBLIC}))
    assert verified.check(token(1), 0.0) is INVALID_KEY


def test_the_repr_counts_and_shows_no_key() -> None:
    """The one-line state names kids and a number."""
    verified = VerifiedKeys(RING)
    verified.check(token(1), 0.0)
    assert repr(verified) == "<VerifiedKeys kids=[1] remembered=1>"
