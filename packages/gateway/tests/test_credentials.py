"""Finding every credential and removing every one."""

from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_gateway.credentials import Credential, contains_managed, find, strip_query, strip_target

MANAGED = b"bai_v1.1.AQAAAAAAAAABAAAAAAAAAA.sig"
OWN = b"sk-own"


def header(location: str, value: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"accept", b"*/*"), (location.encode(), b"Bearer " + value if location == "authorization" else value)]


LOCATIONS = ["x-api-key", "api-key", "x-goog-api-key", "authorization"]


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize(("value", "managed"), [(MANAGED, True), (OWN, False)])
def test_each_header_is_a_location(location: str, value: bytes, managed: bool) -> None:  # noqa: FBT001 -- a test parameter
    """The value, its place and its kind are found in each of the four headers."""
    assert find(header(location, value), b"") == Credential(value, location, managed)


@pytest.mark.parametrize(
    "query", [b"key=%s", b"a=1&key=%s", b"KEY=%s&b", b"%%6b%%65%%79=%s", b"key=&key=%s", b"key&Key=%s"]
)
def test_the_query_is_a_location(query: bytes) -> None:
    """A key parameter counts in any case, encoding, place and repetition."""
    assert find([], query % MANAGED) == Credential(MANAGED, "query", managed=True)
    assert find([], query % OWN) == Credential(OWN, "query", managed=False)


def test_a_percent_encoded_value_is_decoded() -> None:
    """An encoded managed key is a managed key."""
    encoded = b"".join(b"%%%02x" % byte for byte in MANAGED)
    assert find([], b"key=" + encoded) == Credential(MANAGED, "query", managed=True)


@pytest.mark.parametrize("managed_at", [*LOCATIONS, "query"])
@pytest.mark.parametrize("own_at", [*LOCATIONS, "query"])
def test_a_managed_key_wins_wherever_it_stands(managed_at: str, own_at: str) -> None:
    """For every pair of locations and both orders, also within one location, the managed key decides."""
    for first, second in ((managed_at, own_at), (own_at, managed_at)):
        values = {managed_at: MANAGED, own_at: OWN} if managed_at != own_at else {}
        parts = [(first, values.get(first, MANAGED)), (second, values.get(second, OWN))]
        headers = [field for place, value in parts if place != "query" for field in header(place, value)]
        query = b"&".join(b"key=" + value for place, value in parts if place == "query")
        found = find(headers, query)
        assert found == Credential(MANAGED, managed_at, managed=True)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"x-api-key", b""), (b"api-key", b" \t")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Basic dXNlcjpwdw==")],
        [(b"x-other", MANAGED)],
    ],
)
def test_empty_is_absent(headers: list[tuple[bytes, bytes]]) -> None:
    """Blank values, other schemes and other headers are no credential."""
    assert find(headers, b"key=&key&monkey=1&key2=x&a=key") is None


def test_empty_repetitions_are_passed_over() -> None:
    """A blank first header does not hide the second."""
    assert find([(b"x-api-key", b""), (b"x-api-key", OWN)], b"") == Credential(OWN, "x-api-key", managed=False)


@pytest.mark.parametrize("value", [b"bearer sk-own", b"BEARER  sk-own ", b"Bearer\tsk-own"])
def test_the_bearer_scheme_is_read_in_any_case_and_spacing(value: bytes) -> None:
    """Scheme names are case-insensitive (RFC 9110, 11.1)."""
    assert find([(b"authorization", value)], b"") == Credential(OWN, "authorization", managed=False)


@pytest.mark.parametrize("value", [b"bai_v3.1.x.y", b"bai_v", b"BAI_V1.1.x.y", b"Bearer " + MANAGED, b"x," + MANAGED])
def test_what_holds_a_managed_key_is_never_the_callers_own(value: bytes) -> None:
    """Unknown versions and managed keys inside other text are managed: refused later instead of forwarded."""
    assert find([(b"x-api-key", value)], b"") == Credential(value, "x-api-key", managed=True)


def test_among_own_keys_those_for_anthropic_come_first() -> None:
    """x-api-key, then any sk-ant- key, then the rest in order, so that no such key reaches another vendor."""
    ant = (b"authorization", b"Bearer sk-ant-1")
    fields = [(b"api-key", b"a"), (b"x-goog-api-key", b"g"), ant, (b"x-api-key", b"x")]
    order: list[bytes] = []
    while fields:
        found = find(fields, b"key=q")
        assert found is not None
        order.append(found.value)
        fields = [field for field in fields if not field[1].endswith(found.value)]
    assert order == [b"x", b"sk-ant-1", b"a", b"g"]


def test_the_repr_hides_the_value() -> None:
    """A logged credential shows place and kind only."""
    assert repr(Credential(OWN, "query", managed=False)) == "Credential(location='query', managed=False)"


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (b"key=x", b""),
        (b"a=1&key=x&b=2", b"a=1&b=2"),
        (b"key=x&a=%20+&&b&key", b"a=%20+&&b"),
        (b"%6Bey=x&k%45y=y&KEY=z&a", b"a"),
        (b"monkey=1&key2=2&a=key=3&ke=1", b"monkey=1&key2=2&a=key=3&ke=1"),
        (b"", b""),
    ],
)
def test_stripping_takes_every_key_and_nothing_else(query: bytes, kept: bytes) -> None:
    """Key parameters go however they are spelt; the others stay byte for byte."""
    assert strip_query(query) == kept


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (b"/v1/x?key=1", b"/v1/x"),
        (b"/v1/x?key=1&a", b"/v1/x?a"),
        (b"/v1/x", b"/v1/x"),
        (b"/v1/x?", b"/v1/x?"),
        (b"/key=1", b"/key=1"),
    ],
)
def test_a_target_loses_its_question_mark_with_its_last_parameter(path: bytes, kept: bytes) -> None:
    """The path part is never touched."""
    assert strip_target(path) == kept


@given(st.lists(st.sampled_from([b"key=v", b"KEY=v", b"%6bey=v", b"a=1", b"b=%6b", b"key", b"=", b""]), max_size=8))
def test_nothing_is_found_after_stripping(parts: list[bytes]) -> None:
    """Whatever find sees, strip_query removes: the two agree on what a key parameter is."""
    assert find([], strip_query(b"&".join(parts))) is None


@given(st.integers(0, 8), st.binary(max_size=10), st.binary(max_size=10))
def test_a_managed_key_is_seen_under_any_encoding(rounds: int, before: bytes, after: bytes) -> None:
    """However often it is percent-encoded, it is found, or the depth itself counts as hiding."""
    data = before + MANAGED.upper() + after
    for _ in range(rounds):
        data = quote_from_bytes(data, safe="").replace("_", "%5F").encode()
    assert contains_managed(data)


@pytest.mark.parametrize("data", [b"/v1/messages?beta=true", b"/v1/models/a%2Fb?x=100%&y=%zz", b"x=%252525", b""])
def test_ordinary_targets_contain_none(data: bytes) -> None:
    """Escapes, broken ones too, are no suspicion by themselves."""
    assert not contains_managed(data)
