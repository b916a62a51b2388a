"""The kernel: processes, the scheduler, one door for all syscalls, policy, the encrypted store, the journal.

It decides and records; it doesn't know what a file or a character is (services do), nor how a token is made (the
engine does), nor what a screen looks like (the shell does).
"""
