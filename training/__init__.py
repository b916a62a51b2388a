"""How the shipped interpreter adapter is made: data, train, export, evaluate (README.md). Not in the wheel."""
