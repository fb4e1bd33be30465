"""The faults, by what fails: providers, clients, limits, the process, its output, its workers, NATS."""
