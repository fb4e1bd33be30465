"""A tool-calling loop that does no I/O of its own, and what drives it."""
