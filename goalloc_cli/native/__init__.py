"""goalloc's own trace format (docs/trace-format.md)."""
