"""The core layer: `base` (errors, types, paths), `engine` (the model) and `kernel` (the operating system)."""
