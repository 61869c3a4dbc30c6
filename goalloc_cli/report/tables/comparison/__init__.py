"""Tables of limits, of two sides, and of what did it; of many traces under many designs."""
