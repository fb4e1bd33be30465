"""One measurement a module; each offers `run(bench)` and answers tables."""
