"""What a model is told before the first prompt, and what short prompts stand for.

`load` reads all of it for one session: built-in text, instruction files, skills, templates. Nothing of a project that
is not trusted is read but its instruction files. Contract: agent contract, prompt and resources.
"""
