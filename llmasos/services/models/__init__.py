"""What models are made to do beside talking: tasks that were trained, figures of how well they do, who speaks with which."""
