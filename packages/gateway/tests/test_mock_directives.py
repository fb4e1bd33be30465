"""Directives in the model name of a request to the embedded provider."""

import pytest

from beyond_gateway.mock import DirectiveError, Directives, parse_directives


def test_values_are_typed() -> None:
    """Numbers, flags and words arrive as the types of their fields."""
    wanted = Directives(status=429, retry_after=3, gap=0.05, echo_key=True, shape="groq")

    assert wanted == parse_directives("mock:status=429,retry_after=3,gap=0.05,echo_key=1,shape=groq")


@pytest.mark.parametrize("model", ["gpt-x", "mock", "mock:", "models/mock:status=500", ""])
def test_ordinary_models_ask_for_nothing(model: str) -> None:
    """A model that does not start with the prefix, or adds nothing to it, is well served."""
    assert Directives() == parse_directives(model)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("mock:explode=1", "`explode`"),
        ("mock:status=teapot", "$.status"),
        ("mock:status=99", "$.status"),
        ("mock:cut=-2", "$.cut"),
        ("mock:gzip", "`gzip`"),
        ("mock:gzip=perhaps", "$.gzip"),
        ("mock:shape=acme", "'acme'"),
        ("mock:usage=twice", "'twice'"),
    ],
)
def test_mistakes_are_named(model: str, named: str) -> None:
    """The error of a wrong directive says which one it is."""
    with pytest.raises(DirectiveError) as raised:
        parse_directives(model)

    assert named in str(raised.value)


def test_the_query_says_the_same_and_wins() -> None:
    """A `mock` parameter works without a body and overrides the model."""
    assert Directives(status=503) == parse_directives("mock:status=429", "a=1&mock=status%3D503")
