"""From a sentence to a program of syscalls."""
