"""What a trace is, and every way into one."""
