"""All that a session is told, read once: built-in or replaced text, additions, instruction files, skills, templates."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_agent.errors import UsageError
from beyond_agent.prompt import instructions, skills, system, templates
from beyond_agent.prompt.shortcuts import Shortcuts
from beyond_agent.prompt.texts import first_of_each, names_in, read_text, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from beyond_agent.options import Options
    from beyond_agent.places import Places
    from beyond_agent.prompt.trust import TrustStore
    from beyond_agent_core.tools import Tool

_LEFT_OUT: Final = ("SYSTEM.md", "APPEND_SYSTEM.md", "skills", "prompts", "agent.toml")


class Prompt(NamedTuple):
    """What a session is told. `system` is the system text, `shortcuts` expands prompts.

    `notices` are for people: a sentence each about what was left out, cut, or is wrong.
    """

    system: str
    shortcuts: Shortcuts
    notices: tuple[str, ...]


def load(places: Places, options: Options, tools: Collection[Tool], *, today: str, trusted: bool) -> Prompt:
    """Return what a session with these tools is told; `today` is its local date as `2025-01-31`.

    `trusted` says that the project's own prompt, skills and templates count. Raises UsageError for a file that a flag
    names and that cannot be used.
    """
    notices: list[str] = []
    folders = [*([places.project_folder] if trusted else []), places.config]
    shortcuts = Shortcuts(
        _skills(places, options, notices, trusted=trusted),
        _templates(folders, places, options, notices),
        elsewhere="" if trusted or options.no_skills else _untrusted_skills(places),
    )
    parts = _first_parts(folders, places, options, tools, notices)
    parts += [text for each in reversed(folders) if (text := _text(each, "APPEND_SYSTEM.md", notices))]
    parts += [_given(text, "--append-system-prompt", places.cwd) for text in options.append_system_prompt]
    if not options.no_context_files:
        parts.append(instructions.section(instructions.load(places, notices)))
    if any(each.name == "read" for each in tools):
        parts.append(skills.section(shortcuts.skills.values()))
    return Prompt(system.assembled(parts, today, places.cwd), shortcuts, tuple(dict.fromkeys(notices)))


def is_trusted(places: Places, store: TrustStore, notices: list[str], *, this_time: bool) -> bool:
    """Whether the project's own files count; `this_time` says that a flag trusts it for this process.

    A notice names what is there and does not count, and says how to trust it.
    """
    if this_time or store.judge(places.project, notices) == "trusted":
        return True
    own = ((places.project_folder, name) for name in _LEFT_OUT)
    paths = [os.path.join(folder, name) for folder, name in (*own, (places.project, ".agents/skills"))]  # noqa: PTH118 - paths are text, a Path would cost its import
    there = [shown(path) for path in paths if os.path.lexists(path)]
    if there:
        how = f"beyond-ai-agent trust {_quoted(places.project)}"
        notices.append(f"the project is not trusted, left out: {', '.join(there)}; to trust it: {how}")
    return False


def _first_parts(
    folders: list[str], places: Places, options: Options, tools: Collection[Tool], notices: list[str]
) -> list[str]:
    if options.system_prompt is not None:
        return [_given(options.system_prompt, "--system-prompt", places.cwd)]
    replaced = next((text for each in folders if (text := _text(each, "SYSTEM.md", notices))), None)
    return system.built_in(tools) if replaced is None else [replaced]


def _skills(places: Places, options: Options, notices: list[str], *, trusted: bool) -> dict[str, skills.Skill]:
    wanted = [("flag", _named(path, "--skill", places.cwd)) for path in options.skill]
    if not options.no_skills:
        wanted += [("project", path) for path in _skill_folders(places) if trusted]
        wanted.append(("own", _under(places.config, "skills")))
    found = (
        skills.skill_at(file, scope, notices)
        for scope, path in wanted
        for file in (skills.below(path, notices) if os.path.isdir(path) else _file(path, scope))  # noqa: PTH112 - as above
    )
    return first_of_each("skill", found, notices)


def _skill_folders(places: Places) -> list[str]:
    return [_under(places.project_folder, "skills"), _under(places.project, ".agents/skills")]


def _untrusted_skills(places: Places) -> str:
    """Return why a skill may be missing, empty where the project has none."""
    if not any(os.path.lexists(path) for path in _skill_folders(places)):
        return ""
    return f"; the project's own are left out: beyond-ai-agent trust {_quoted(places.project)}"


def _templates(
    folders: list[str], places: Places, options: Options, notices: list[str]
) -> dict[str, templates.Template]:
    wanted = [("flag", _named(path, "--prompt-template", places.cwd)) for path in options.prompt_template]
    if not options.no_prompt_templates:
        wanted += [("own" if each == places.config else "project", _under(each, "prompts")) for each in folders]
    found = (
        templates.template_at(file, scope, notices)
        for scope, path in wanted
        for file in (_pages(path) if os.path.isdir(path) else _file(path, scope))  # noqa: PTH112 - as above
    )
    return first_of_each("template", found, notices)


def _pages(folder: str) -> Iterator[str]:
    return (_under(folder, name) for name in names_in(folder) if name.endswith(".md") and name[0] != ".")


def _file(path: str, scope: str) -> list[str]:
    """Return a path as the one file that a flag names; a folder that is missing is none."""
    return [path] if scope == "flag" else []


def _text(folder: str, name: str, notices: list[str]) -> str | None:
    return read_text(_under(folder, name), notices)


def _named(path: str, flag: str, cwd: str) -> str:
    full = _under(cwd, os.path.expanduser(path))  # noqa: PTH111 - as above
    if not os.path.exists(full):  # noqa: PTH110 - as above
        raise UsageError(f"{flag}: there is no {path!r}")
    return full


def _given(text: str, flag: str, cwd: str) -> str:
    """Return the text of a flag: what stands there, or what is in the file behind an `@`; `@@` is an `@`."""
    if not text.startswith("@") or text.startswith("@@"):
        return text.removeprefix("@")
    faults: list[str] = []
    path = _named(text[1:], flag, cwd)
    read = read_text(path, faults)
    if faults:
        raise UsageError(f"{flag}: {faults[0]}")
    return read or ""


def _under(folder: str, name: str) -> str:
    return os.path.join(folder, name)  # noqa: PTH118 - as above


def _quoted(path: str) -> str:
    from shlex import quote  # noqa: PLC0415 - only this notice needs it

    return quote(shown(path))
