"""`run`: one job in one directory, then the end.

    inputs -> work (agent runs, one a task) -> a Show of the events -> exit status

- `inputs` makes prompts of arguments, files and stdin; `structured` is an answer as JSON of a schema
- `work` is the job from top to bottom; signals end the run in order
- `show_text`, `show_json`, `show_terminal` are what a person or a script sees; `output` is stdout that may be closed
"""
