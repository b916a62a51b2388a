"""How the shipped interpreter adapter is made (README.md). Not in the wheel."""
