"""Counters that all workers of a host share, and the listener that tells them.

- `table` is what is counted; `cells` where each number lives in a worker's slot of shared memory.
- `worker` adds to that slot while requests pass; `process` reads what only the kernel knows.
- `exposition` sums the slots of all workers and words them for Prometheus.
- `listener` takes requests for /livez, /readyz and /metrics; `pages` says what each is told.
"""
