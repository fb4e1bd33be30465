"""Which calls of the model run: what is denied for good, what a person must allow, and what was allowed before.

`Approver` decides without asking; `Gate` asks, as the hook before each call; `TerminalAsker` is one to ask. All of it
guards against slips, not against malice: bash can reach anything, so isolate with the operating system. Contract: agent
contract, policy and approvals.
"""
