"""An LLM egress gateway: authenticate, admit, route, relay, meter, settle.

The way of a request, in the order of reading:

- `client_protocol` cuts a client's bytes into heads and bodies; `head_rules` and `framing` say what is one.
- `exchange` is ONE request from its first byte to its settled row; everything below serves it.
- `admit` runs the checks in the contract's order: `route`, `credentials`, `guards.rate`, `verified` and `managed_key`,
  `deny`, `endpoints`, `guards.breaker`.
- `headers` writes the head for the provider; `usage_request` asks for usage; `dialer` dials, `pool` and `lane` keep.
- `upstream_protocol` cuts the provider's bytes; `rewrite` touches a body only where it must.
- `ledger` looks on through `request_scan` and `tap`; `meter` reads usage, `settle` words the row, `usage_rows`
  writes it.
- `tally` tells `guards.breaker`, `metrics` and the row how it went.
- `app` builds all this from `config`, `rules` makes it anew on reload; `host` runs one process or several.
- `doctor` looks whether it can work; `mock` is every provider in one process, for `dev` and for tests.
"""
