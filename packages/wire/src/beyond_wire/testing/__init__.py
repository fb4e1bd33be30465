"""Test support that ships with the package: ways to cut bytes, recorded answers and requests, rules of dialects."""
