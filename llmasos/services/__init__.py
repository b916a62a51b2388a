"""The service layer: what the syscalls do.

    interpreter   a sentence becomes a program; requests.py runs what was typed
    files, schedule, tasks, memory, devices, search, processes, system, apps   syscalls, each under its name
    language      what makes words: the speaker, its hygiene, and assistant.* and content.*
    characters    cards, conversations, and what a character witnessed

What several of them share stands beside them: matching (which stored thing is meant), asking (once for each
call), changes (records written so that undo takes them back), numerals and script (how a text is written).
"""
