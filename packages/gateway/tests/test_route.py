"""From target to provider: verbatim where clean, refused where ambiguous."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_gateway.config import Config
from beyond_gateway.credentials import Credential
from beyond_gateway.errors import UNKNOWN_PROVIDER, Refusal
from beyond_gateway.providers import build_table
from beyond_gateway.route import (
    BACKSLASH,
    BROKEN_ESCAPE,
    DOT_SEGMENT,
    EMPTY_SEGMENT,
    ESCAPED_CONTROL,
    ESCAPED_PROVIDER,
    FRAGMENT,
    NOT_ORIGIN_FORM,
    NOT_VISIBLE,
    Route,
    normalise,
    route,
)

TABLE = build_table(Config(provider_authorities={"local": "llm.internal"}))


def routed(target: bytes, credential: Credential | None = None) -> Route:
    answer = route(target, TABLE, credential)
    assert isinstance(answer, Route), answer
    return answer


@pytest.mark.parametrize(
    ("target", "provider", "path"),
    [
        (b"/openai/v1/chat/completions", "openai", b"/v1/chat/completions"),
        (b"/openrouter/api/v1/models?a=1&b=%20", "openrouter", b"/api/v1/models?a=1&b=%20"),
        (b"/local/v1/models/org%2Fmodel", "local", b"/v1/models/org%2Fmodel"),
        (b"/openai/v1/files/%E2%82%AC%7e", "openai", b"/v1/files/%E2%82%AC%7e"),
        (b"/openai/v1/models/", "openai", b"/v1/models/"),
        (b"/openai/v1beta/models/gemini:generate", "openai", b"/v1beta/models/gemini:generate"),
        (b"/openai/v1/x?u=http://a//b/../c?d\\", "openai", b"/v1/x?u=http://a//b/../c?d\\"),
        (b"/openai/v1/x?p=%&q=%zz", "openai", b"/v1/x?p=%&q=%zz"),
        (b"/openai/v1/a..b/.well-known/...", "openai", b"/v1/a..b/.well-known/..."),
        (b"/openai/openai/v1", "openai", b"/openai/v1"),
        (b"/openai/anthropic/v1/messages", "openai", b"/anthropic/v1/messages"),
        (b"/openai", "openai", b"/"),
        (b"/openai?x", "openai", b"/?x"),
        (b"/openai/", "openai", b"/"),
    ],
)
def test_the_first_segment_is_stripped_and_the_rest_is_verbatim(target: bytes, provider: str, path: bytes) -> None:
    """What has one reading is forwarded byte for byte, query and escapes included."""
    answer = routed(target)
    assert (answer.provider.name, answer.path) == (provider, path)


@pytest.mark.parametrize(
    ("target", "provider"),
    [
        (b"/v1", "openai"),
        (b"/v1?x=1", "openai"),
        (b"/v1/", "openai"),
        (b"/v1/chat/completions", "openai"),
        (b"/v1/messages", "anthropic"),
        (b"/v1/messages?beta=true", "anthropic"),
        (b"/v1/messages/count_tokens", "anthropic"),
        (b"/v1/messages/batches/x%20y", "anthropic"),
        (b"/v1/messagesx", "openai"),
        (b"/v1/models/a%2Fb", "openai"),
        (b"/v1/threads/t/messages", "openai"),
    ],
)
def test_a_bare_v1_path_goes_by_what_follows(target: bytes, provider: str) -> None:
    """Messages go to Anthropic, all else to OpenAI, and the target is forwarded unchanged."""
    answer = routed(target)
    assert (answer.provider.name, answer.path) == (provider, target)


@pytest.mark.parametrize(
    "target", [b"/v1beta/models", b"/v10/models", b"/v2", b"/nobody/v1", b"/", b"/OpenAI/v1", b"/openai;x/v1", b"/.x"]
)
def test_an_unknown_first_segment_is_404(target: bytes) -> None:
    """Nothing but an exact name or /v1 qualifies."""
    assert route(target, TABLE, None) is UNKNOWN_PROVIDER


@pytest.mark.parametrize(
    ("credential", "provider"),
    [
        (Credential(b"sk-ant-1", "authorization", managed=False), "anthropic"),
        (Credential(b"sk-ant-1", "query", managed=False), "anthropic"),
        (Credential(b"whatever", "x-api-key", managed=False), "anthropic"),
        (Credential(b"sk-1", "authorization", managed=False), "openai"),
        (Credential(b"bai_v1.x", "x-api-key", managed=True), "openai"),
        (None, "openai"),
    ],
)
def test_an_own_anthropic_key_reaches_anthropic_whatever_the_path(credential: Credential | None, provider: str) -> None:
    """On bare /v1 a caller's key decides the vendor; a managed key, to be swapped, does not."""
    assert routed(b"/v1/chat/completions", credential).provider.name == provider


def test_a_named_provider_wins_over_the_kind_of_key() -> None:
    """Under /{provider} the caller has said where the key goes."""
    assert routed(b"/openai/v1/models", Credential(b"sk-ant-1", "x-api-key", managed=False)).provider.name == "openai"


@pytest.mark.parametrize(
    ("target", "dialect"),
    [
        (b"/openrouter/api/v1/messages", "anthropic"),
        (b"/openrouter/api/v1/messages?x=/chat", "anthropic"),
        (b"/openrouter/api/v1/messages/count_tokens", "anthropic"),
        (b"/openrouter/api/v1/chat/completions?x=/messages", "openai"),
        (b"/openrouter/api/v1/xmessages", "openai"),
        (b"/anthropic/v1/models", "anthropic"),
        (b"/v1/messages", "anthropic"),
        (b"/v1/responses", "openai"),
    ],
)
def test_the_dialect_is_that_of_the_forwarded_path(target: bytes, dialect: str) -> None:
    """Messages are the Anthropic dialect on any provider; other paths speak the provider's own."""
    assert routed(target).dialect == dialect


@pytest.mark.parametrize(
    ("target", "refusal"),
    [
        (b"", NOT_ORIGIN_FORM),
        (b"*", NOT_ORIGIN_FORM),
        (b"http://openai/v1/models", NOT_ORIGIN_FORM),
        (b"api.openai.com:443", NOT_ORIGIN_FORM),
        (b"openai/v1", NOT_ORIGIN_FORM),
        (b"?x", NOT_ORIGIN_FORM),
        (b"/openai/v1 /x", NOT_VISIBLE),
        (b"/openai/v1?a=\x00", NOT_VISIBLE),
        (b"/openai/v1/\xc0\xae\xc0\xae/x", NOT_VISIBLE),
        (b"/openai/v1\r\nx: y", NOT_VISIBLE),
        (b"/openai/v1#x", FRAGMENT),
        (b"/openai/v1?a#x", FRAGMENT),
        (b"/%6fpenai/v1", ESCAPED_PROVIDER),
        (b"/openai%2fv1", ESCAPED_PROVIDER),
        (b"/openai%2f..%2fanthropic/v1", ESCAPED_PROVIDER),
        (b"/%76%31/messages", ESCAPED_PROVIDER),
        (b"/%2e%2e/openai", ESCAPED_PROVIDER),
        (b"/openai/v1/%", BROKEN_ESCAPE),
        (b"/openai/v1/%2", BROKEN_ESCAPE),
        (b"/openai/v1/%zz", BROKEN_ESCAPE),
        (b"/openai/v1/%?aa", BROKEN_ESCAPE),
        (b"/openai/v1/x%00", ESCAPED_CONTROL),
        (b"/openai/v1/x%0d%0ahost:x", ESCAPED_CONTROL),
        (b"/openai/v1/x%7F", ESCAPED_CONTROL),
        (b"/openai/..\\anthropic", BACKSLASH),
        (b"/openai/..%5canthropic", BACKSLASH),
        (b"/openai/..%5Canthropic", BACKSLASH),
        (b"//openai/v1", EMPTY_SEGMENT),
        (b"//evil.example/openai/v1", EMPTY_SEGMENT),
        (b"/openai//v1", EMPTY_SEGMENT),
        (b"/openai/v1//", EMPTY_SEGMENT),
        (b"/openai/%2f/x", EMPTY_SEGMENT),
        (b"/openai/a%2F%2fx", EMPTY_SEGMENT),
        (b"/openai/../anthropic/v1", DOT_SEGMENT),
        (b"/openai/v1/..", DOT_SEGMENT),
        (b"/openai/v1/.", DOT_SEGMENT),
        (b"/openai/./v1", DOT_SEGMENT),
        (b"/../openai/v1", DOT_SEGMENT),
        (b"/..", DOT_SEGMENT),
        (b"/openai/%2e%2E/anthropic", DOT_SEGMENT),
        (b"/openai/.%2e/anthropic", DOT_SEGMENT),
        (b"/openai/%2e", DOT_SEGMENT),
        (b"/openai/x%2f..%2fanthropic", DOT_SEGMENT),
        (b"/openai/..?x", DOT_SEGMENT),
        (b"/openai/..;x=1/anthropic", DOT_SEGMENT),
        (b"/openai/%2e%2e%3bx/anthropic", DOT_SEGMENT),
    ],
)
def test_an_ambiguous_target_is_refused_by_name(target: bytes, refusal: Refusal) -> None:
    """No spelling that some server reads differently reaches any provider: 400, naming the fault."""
    assert route(target, TABLE, None) is refusal
    assert normalise(target) is refusal
    assert refusal.status == 400


@pytest.mark.parametrize(
    ("target", "endpoint"),
    [
        (b"/openai/v1/chat/completions?x=1", b"/v1/chat/completions"),
        (b"/v1/chat/completions?x=1", b"/v1/chat/completions"),
        (b"/v1", b"/v1"),
        (b"/openai/v1/files%3fx/chat/completions", b""),
        (b"/v1/files%2Fx%23/chat/completions", b""),
        (b"/openai/v1/files/x;/chat/completions", b""),
        (b"/v1/files/x;/messages", b""),
        (b"/openai/v1/chat/completions?x=%3b;", b"/v1/chat/completions"),
    ],
)
def test_the_endpoint_is_empty_where_an_upstream_might_read_another(target: bytes, endpoint: bytes) -> None:
    """An escape or path parameter keeps a path from passing for an allowed ending; the query has no say."""
    assert routed(target).endpoint == endpoint


@given(
    st.binary(max_size=60)
    | st.text("/.%2eEfF5cC;?#\\ov1penai", max_size=40).map(lambda text: b"/openai" + text.encode())
)
def test_any_target_is_verbatim_or_refused(target: bytes) -> None:
    """Never raises, never rewrites; and what passes has no dot segment to any decoder of one round."""
    judged = normalise(target)
    if isinstance(judged, Refusal):
        assert judged.status == 400
        return
    assert judged == target
    answer = route(target, TABLE, None)
    if isinstance(answer, Route):
        assert target.endswith(answer.path) or answer.path.lstrip(b"/") == target.removeprefix(b"/openai")
    path = target.partition(b"?")[0].lower()
    for old, new in ((b"%2e", b"."), (b"%2f", b"/"), (b"%5c", b"/"), (b"\\", b"/")):
        path = path.replace(old, new)
    segments = path.split(b"/")
    assert not {b".", b".."} & set(segments)
    assert b"" not in segments[1:-1]
