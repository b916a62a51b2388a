"""What models do beside talking: tasks that were trained, how well they do, and who speaks with which."""
