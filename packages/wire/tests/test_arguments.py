"""Arguments: JSON objects, the two repairs, and everything else refused, in linear time."""

from __future__ import annotations

import json
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_wire.arguments import read_arguments


def deep(levels: int, inside: str) -> dict[str, Any]:
    value: Any = inside
    for _ in range(levels):
        value = {"a": value}
    return value


CASES: list[tuple[str, dict[str, Any] | None]] = [
    ("", {}),
    (" \n", {}),
    ("{}", {}),
    ('{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
    ('{"a":12345678901234567890123}', {"a": 12345678901234567890123}),
    ('{"a":"\\ud83d\\ude42"}', {"a": "🙂"}),
    ('{"a":"line\nend\ttab\x00"}', {"a": "line\nend\ttab\x00"}),
    ('{\n"a":\t"x\ny"}', {"a": "x\ny"}),
    (r'{"a":"C:\dir\new"}', {"a": "C:\\dir\new"}),
    (r'{"a":"\d+\\d\"\/\u0041\u00"}', {"a": '\\d+\\d"/A\\u00'}),
    (r'{"a":"\ud800 lone"}', {"a": "\\ud800 lone"}),
    (r'{"a":"lone \udc00"}', {"a": "lone \\udc00"}),
    ('{"a":"\\\n"}', {"a": "\\\n"}),
    (r'{"\w":"key"}', {"\\w": "key"}),
    ('{"a":' * 99 + '{"a":"[["}' + "}" * 99, deep(100, "[[")),
    ('{"a":' * 100 + "{}" + "}" * 100, None),
    ('{"a":' + "[" * 100 + "]" * 100 + "}", None),
    ("[1]", None),
    ('"text"', None),
    ("null", None),
    ("{", None),
    ('{"a":"cut', None),
    ('{"a":"cut\\', None),
    ('{"a":1} trailing', None),
    ("{'a':1}", None),
    ('{"a":NaN}', None),
    ('{"a":\x01}', None),
    ('{"a":"\ud800"}', None),
    ('{"a":' + "[" * 5000 + "]" * 5000 + "}", None),
]


@pytest.mark.parametrize(("text", "found"), CASES)
def test_cases(text: str, found: dict[str, Any] | None) -> None:
    """Objects are read, the two faults are repaired, and nothing else is guessed."""
    assert read_arguments(text) == found


@given(st.text())
def test_raises_nothing(text: str) -> None:
    """Whatever the text, there is an object or None."""
    found = read_arguments(text)
    assert found is None or isinstance(found, dict)


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans(), max_size=4))
def test_repair_is_lossless(value: dict[str, Any]) -> None:
    """An object whose control characters were left raw comes back as it was meant."""
    text = json.dumps(value, ensure_ascii=False)
    for letter in "\n\t\r":
        text = text.replace(json.dumps(letter)[1:-1], letter) if "\\\\" not in text else text
    assert read_arguments(text) == value


@pytest.mark.parametrize("unit", ['\\"', '"', "\\", "a", "\n", '\\d"'])
def test_repair_is_linear(unit: str) -> None:
    """Twice the text takes less than four times as long, whatever it repeats."""

    def seconds(size: int) -> float:
        text = '{"a":"' + unit * (size // len(unit))
        started = process_time()
        read_arguments(text)
        return process_time() - started

    ratios = (seconds(2**18) / max(seconds(2**17), 1e-4) for _ in range(5))
    assert any(ratio < 4 for ratio in ratios)
