"""Measurements against nginx in the same run; `run.py` is the table of contents."""
