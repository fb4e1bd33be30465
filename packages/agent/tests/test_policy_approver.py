from __future__ import annotations

import os
from typing import Any

import pytest
from agent_project import named
from hypothesis import given
from hypothesis import strategies as st

from beyond_agent.errors import UsageError
from beyond_agent.options import TOOL_NAMES, Options
from beyond_agent.policy.approver import Allowed, Approver, Ask, Decision, Denied
from beyond_agent.policy.gate import approver_for

TOOLS = named(*TOOL_NAMES)
INPUTS: dict[str, dict[str, Any]] = {
    "bash": {"command": "make test"},
    "edit": {"path": "a", "old_string": "x", "new_string": "y"},
    "find": {"pattern": "*.py"},
    "fork": {"app": "shop"},
    "grep": {"pattern": "x"},
    "logs": {},
    "ls": {},
    "read": {"path": "a"},
    "sync": {},
    "write": {"path": "a", "content": "x"},
}


def approver(**settings: Any) -> Approver:
    """Return what decides in /w, where `link` leads to /secret."""

    def canonical(path: str) -> str:
        return os.path.normpath(path).replace("/w/link", "/secret")

    return approver_for(Options(**settings), TOOLS, home="/home/me", cwd="/w", canonical=canonical)


def decided(rules: Approver) -> dict[str, Decision]:
    """Return the decision for a call of each tool."""
    return {name: rules.decide(name, given_input) for name, given_input in INPUTS.items()}


@pytest.mark.parametrize(
    ("approve", "gated"),
    [
        ("off", set[str]()),
        ("writes", {"bash", "edit", "fork", "sync", "write"}),
        ("all", set(TOOL_NAMES)),
        ("tools:read,bash", {"read", "bash"}),
        ("tools: read , bash ,", {"read", "bash"}),
    ],
)
def test_a_gate_holds_what_it_names(approve: str, gated: set[str]) -> None:
    """`writes` is every tool that does not only read, `all` is all, `tools:` those."""
    asked = {name for name, decision in decided(approver(approve=approve)).items() if isinstance(decision, Ask)}
    assert asked == gated
    assert all(isinstance(each, Allowed | Ask) for each in decided(approver(approve=approve)).values())


@pytest.mark.parametrize("approve", ["writes", "all"])
def test_a_tool_that_nobody_knows_is_gated(approve: str) -> None:
    """What does not say that it only reads may write."""
    assert isinstance(approver(approve=approve).decide("new_tool", {}), Ask)


@pytest.mark.parametrize(
    "approve", ["", "write", "Writes", "off ", "all:", "tools", "tools:", "tools:,", "writes:bash", "tools:bash,raed"]
)
def test_a_typo_is_a_usage_error_and_never_an_open_gate(approve: str) -> None:
    """An unknown word or tool is exit 2, and the text names the argument."""
    with pytest.raises(UsageError, match=r"^--approve: ") as raised:
        approver(approve=approve)
    assert raised.value.status == 2


def test_an_unknown_tool_to_deny_is_a_usage_error() -> None:
    """One that is left out of the run is still known."""
    with pytest.raises(UsageError, match=r"^--deny-tool: there is no tool 'bsah'; there are bash, edit, "):
        approver(deny_tool=("bsah",))
    rules = approver_for(
        Options(deny_tool=("bash",), approve="tools:write"), named("read"), home="/h", cwd="/w", canonical=str
    )
    assert rules.decide("read", {"path": "a"}) == Allowed()


def test_a_denied_tool_never_runs() -> None:
    """The reason names the flag, for the model and the person alike."""
    rules = approver(deny_tool=("fork", "sync"))
    assert rules.decide("fork", {"app": "x"}) == Denied("the tool fork is denied (--deny-tool)")
    assert {name for name, each in decided(rules).items() if isinstance(each, Denied)} == {"fork", "sync"}


@pytest.mark.parametrize("command", ["rm -rf /", "cd x && RM -RF y", "echo 'rm -rf'"])
def test_a_pattern_denies_commands_in_any_case(command: str) -> None:
    """A substring of the command, wherever it stands."""
    rules = approver(deny_bash_pattern=("Rm -Rf", "STRASSE"))
    assert rules.decide("bash", {"command": command}) == Denied("the command contains 'Rm -Rf' (--deny-bash-pattern)")
    assert isinstance(rules.decide("bash", {"command": "straße"}), Denied)
    assert rules.decide("bash", {"command": "rm -r f"}) == Allowed()
    assert rules.decide("write", {"path": "rm -rf", "content": "rm -rf"}) == Allowed()


@pytest.mark.parametrize(
    ("name", "given_input"),
    [
        ("read", {"path": "link/key"}),
        ("read", {"path": "@link/key"}),
        ("read", {"path": "file:///secret/key"}),
        ("write", {"path": "/secret/new", "content": ""}),
        ("edit", {"path": "x/../link/key"}),
        ("ls", {"path": "link"}),
        ("grep", {"pattern": "x", "path": "/secret"}),
        ("find", {"pattern": "x", "path": "/w/link/"}),
        ("sync", {"path": "link"}),
        ("bash", {"command": "ls", "cwd": "/secret/sub"}),
    ],
)
def test_a_denied_path_is_denied_to_every_tool_by_its_canonical_name(name: str, given_input: dict[str, Any]) -> None:
    """Symlinks, URLs and `..` make no way around; the reason names path and glob."""
    decision = approver(deny_path=("/secret",)).decide(name, given_input)
    assert isinstance(decision, Denied)
    assert decision.reason.startswith("/secret")
    assert decision.reason.endswith(" is denied by '/secret' (--deny-path)")


def test_a_path_that_is_left_out_is_the_current_directory() -> None:
    """A search that names no path is one of it."""
    rules = approver(deny_path=("/w",))
    denied = {name for name, each in decided(rules).items() if isinstance(each, Denied)}
    assert denied == {"bash", "edit", "find", "grep", "ls", "read", "sync", "write"}


def test_what_a_tool_itself_says_it_reads_or_writes_is_looked_at_too() -> None:
    """A file that the tool finds by another spelling is denied by its real name."""
    assert approver(deny_path=("/real",)).decide("read", {"path": "a"}) == Denied(
        "/real/a is denied by '/real' (--deny-path)"
    )
    assert isinstance(approver(deny_path=("/real",)).decide("write", {"path": "a"}), Denied)


@pytest.mark.parametrize("name", ["find", "grep", "ls"])
@pytest.mark.parametrize(
    ("written", "real"), [("it's", "it\u2019s"), ("a\u00a0b", "a\u00a0b"), ("caf\u00e9", "cafe\u0301")]
)
def test_a_denied_folder_is_denied_by_each_spelling_that_a_search_finds_it_by(
    name: str, written: str, real: str
) -> None:
    """A search takes a folder with an odd space, a curly apostrophe or a decomposed accent for what was written."""
    given_input = {"pattern": "x", "path": written}
    assert isinstance(approver(deny_path=(real,)).decide(name, given_input), Denied)
    assert approver(deny_path=("other",)).decide(name, given_input) == Allowed()


def test_a_path_that_cannot_be_resolved_is_denied() -> None:
    """A loop of symlinks is no way around; what the tool itself will refuse is left to it."""

    def canonical(path: str) -> str:
        if path.endswith("loop"):
            raise OSError(40, "Too many levels of symbolic links")
        return path

    rules = approver_for(Options(deny_path=("*.key",)), TOOLS, home="/h", cwd="/w", canonical=canonical)
    decision = rules.decide("ls", {"path": "loop"})
    assert isinstance(decision, Denied)
    assert "cannot be resolved" in decision.reason
    assert rules.decide("ls", {"path": ""}) == Allowed()


@pytest.mark.parametrize(
    ("name", "given_input", "key"),
    [
        ("bash", {"command": " make  test\n"}, "cmd: make  test\n"),
        ("write", {"path": "a"}, "path:/real/a"),
        ("edit", {"path": "a"}, "path:/real/a"),
        ("read", {"path": "a"}, "tool:read"),
        ("fork", {"app": "x"}, "tool:fork"),
    ],
)
def test_an_answer_is_kept_by_key(name: str, given_input: dict[str, Any], key: str) -> None:
    """The verbatim command, the canonical path that is written, or the tool."""
    decision = approver(approve="all").decide(name, given_input)
    assert isinstance(decision, Ask)
    assert decision.scope_key == key


def test_what_is_remembered_is_not_asked_again_until_it_is_forgotten() -> None:
    """An answer for the session is about that key only, and goes with the session."""
    rules = approver(approve="all")
    rules.remember("cmd:make test")
    rules.remember("path:/real/a")
    assert rules.decide("bash", {"command": "make test"}) == Allowed()
    assert isinstance(rules.decide("bash", {"command": "make test; rm x"}), Ask)
    assert rules.decide("edit", {"path": "a"}) == rules.decide("write", {"path": "a"}) == Allowed()
    assert isinstance(rules.decide("write", {"path": "b"}), Ask)
    assert isinstance(rules.decide("read", {"path": "a"}), Ask)
    assert repr(rules) == "<Approver approve=all remembered=2>"
    assert rules.forget() == 2
    assert isinstance(rules.decide("bash", {"command": "make test"}), Ask)
    assert rules.forget() == 0


@given(
    denied=st.booleans(), gated=st.booleans(), remembered=st.booleans(), name=st.sampled_from(["bash", "write", "fork"])
)
def test_the_order_is_denied_not_gated_remembered_ask(denied: bool, gated: bool, remembered: bool, name: str) -> None:  # noqa: FBT001 - drawn by name
    """The first of them that holds decides, whatever the later ones say."""
    rules = approver(deny_tool=(name,) if denied else (), approve="writes" if gated else "off")
    if remembered:
        key = approver(approve="writes").decide(name, INPUTS[name])
        assert isinstance(key, Ask)
        rules.remember(key.scope_key)
    expected = Denied if denied else Allowed if not gated or remembered else Ask
    assert isinstance(rules.decide(name, INPUTS[name]), expected)
