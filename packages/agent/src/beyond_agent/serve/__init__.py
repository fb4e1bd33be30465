"""The protocol: JSON lines over stdio or a Unix socket, for programs that drive an agent.

- `frames` and `commands` are what is written and read, as types; `schema` publishes them
- `numbered` gives a session's frames their numbers and holds them for who comes back; `outbox` is one connection's
- `live` is a session in this process, `work` what is done on it, `narrator` tells it; `hub` has all of them
- `approvals` asks before a call, `shell` runs a person's commands
- `connection` reads commands, `handlers` answers them; `stdio` and `uds` are the two transports, `attach` joins one
"""
