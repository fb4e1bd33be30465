"""The gateway shown at work: `python -m demo` with embedded providers, `python -m demo.smoke` with real ones."""
