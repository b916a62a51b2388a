"""What a person meets in a terminal: the line they type, what is shown, what is asked.

The only room of prompt_toolkit and rich.
"""
