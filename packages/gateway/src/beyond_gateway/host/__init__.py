"""What one host's workers share and who starts them: memory, sockets, limits, and the word to the service manager.

- `shared` is the one block of memory that the workers of a host count in.
- `sockets` are the listeners, opened once and handed to every worker.
- `start` serves with one process or with several; `supervisor` starts workers and replaces one that died;
  `child` is a worker's first moment.
- `limits` says how many cores and how much memory this process may use, and raises the limit on open files.
- `notify` tells a service manager that the gateway is ready, reloads or stops.
"""
