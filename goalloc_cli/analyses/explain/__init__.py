"""Explains one size, or one event of a trace, by running the model up to it and looking at what it changes."""
