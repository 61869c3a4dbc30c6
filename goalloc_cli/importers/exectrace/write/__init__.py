"""The events of the trace that is made of it."""
