"""The engine: models, sequences, sampling, constraints. Below the kernel; knows nothing of processes."""
