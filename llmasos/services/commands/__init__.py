"""`!command`: a native command that a person types, confined to the workspace, and taken back like any other change.

A command is no part of a conversation, and no model chooses one.

    typed.py     what counts as typed
    service.py   the syscall: asks, keeps, runs, shows, tells
    survey.py    what is in the workspace
    keeping.py   what the files were before, sealed
    changes.py   what a command changed
    restore.py   taking that back
    output.py    what it wrote
"""
