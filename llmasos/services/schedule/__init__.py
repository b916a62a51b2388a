"""Events and reminders: words to time, repeats, the store of events, and what fires them."""
