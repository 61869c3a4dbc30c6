"""What is counted and surveyed of the heap. Ours, not Go's."""
