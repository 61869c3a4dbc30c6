"""Tables of limits, of two sides, and of what did it."""
