"""The service layer: what the syscalls do."""
