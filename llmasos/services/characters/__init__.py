"""Characters: a card, a process, and a memory of what they themselves witnessed."""
