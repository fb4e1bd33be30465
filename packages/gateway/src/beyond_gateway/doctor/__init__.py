"""What `beyond-ai doctor` looks at before an operator's users do, and how it says what it found.

- `report` is a finding, `Check`, and its two forms: aligned lines and JSON.
- `settings` reads the configuration: warnings, signing keys, pool keys.
- `files` looks at who can read secrets and whether the snapshot can be written.
- `listeners` sees whether the addresses can be had, and who has them otherwise.
- `providers` resolves, connects and verifies each provider as the gateway does.
- `deny_store` asks NATS for the bucket of the deny-set.
- `capacity` compares what is configured with what the host gives.
- `reasons` words a failed connection, `bounded` keeps a blocking call from holding up the rest.
- `examine` runs everything at once.

Nothing is contacted but what the configuration names, and nothing is changed.
"""
