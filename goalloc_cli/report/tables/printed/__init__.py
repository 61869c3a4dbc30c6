"""Reports about what Go prints of itself: gctrace, MemStats."""
