"""Written answers of the embedded provider."""

from pathlib import Path

import pytest

from beyond_gateway.mock import Script, ScriptError


def test_each_entry_is_used_once_by_the_first_rule_that_matches() -> None:
    """Entries are consumed in order, those that do not match wait, then nothing is left."""
    script = Script.parse('[{"match": "rain", "text": "1"}, {"text": "2"}, {"match": "/v1/messages", "text": "3"}]')

    taken = [script.take("sun", "/v1/chat"), script.take("rain", "/x"), script.take("sun", "/v1/messages")]

    assert [entry and entry.text for entry in taken] == ["2", "1", "3"]
    assert script.take("rain", "/v1/messages") is None
    assert len(script) == 0


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[{"text": "a"}, {"texts": "b"}]', "`texts` - at `$[1]`"),
        ('[{"usage": {"input": "many"}}]', "$[0].usage.input"),
        ('[{"status": 12}]', "$[0].status"),
        ('{"text": "a"}', "Expected `array`"),
        ('[{"text": ', "truncated"),
    ],
)
def test_mistakes_are_named(text: str, named: str) -> None:
    """A script that does not fit says which entry and field is wrong."""
    with pytest.raises(ScriptError) as raised:
        Script.parse(text)

    assert named in str(raised.value)


def test_a_file_that_fails_is_named(tmp_path: Path) -> None:
    """Both a missing file and a wrong one start the message with their path."""
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[1]")

    for path in (tmp_path / "missing.json", wrong):
        with pytest.raises(ScriptError) as raised:
            Script.load(path)
        assert str(raised.value).startswith(f"{path}: ")
