"""What a person asked to be remembered, and how anything remembered is found again."""
