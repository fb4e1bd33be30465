"""A headless coding agent: `run` does one job and ends, `serve` keeps sessions for programs.

- `flags`, `settings`, `places` and `routing` say what was asked for, where things lie, and which model answers how
- `prompt` writes the system text: instruction files, skills, templates, trust
- `tools` are the ten that a model may call, over `seams` behind which the `machine` stands; `policy` says which may run
- `sessions` keeps conversations on disk, as trees that are only ever appended to
- `harness` puts these together; `job` is what `run` does with it, `serve` is the protocol
- `cli` has one file for each command
"""

__version__ = "0.1.0"
