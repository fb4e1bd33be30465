"""What all workers of a host watch together, in memory that they share without locks.

- `rate` counts the requests of each credential, and of all callers' own keys, in a second.
- `breaker` counts the failures of one provider and stops calls to it for a while.

Both take cells of shared memory and the time (CLOCK_MONOTONIC, one for all processes of a host) and are pure. A cell is
eight bytes and aligned, so that it is read and written whole. What two workers write at the same moment may be counted
once; no rule here needs more, and no worker that is killed leaves anything held.
"""
