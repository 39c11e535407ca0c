"""A process on a unix socket: options, logs, metrics, signals; for the driver and the providers."""
