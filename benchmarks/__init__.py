"""What every number in the docs is measured with; run by `llmasos bench NAME`."""
