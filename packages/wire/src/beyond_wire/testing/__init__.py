"""Test support that ships with the package: ways to cut bytes, and streams with the facts they must give."""
