"""Documents of what Go prints of itself: gctrace, MemStats."""
