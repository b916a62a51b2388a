"""The model for other programs: OpenAI's protocol over HTTP, on top of the kernel."""
