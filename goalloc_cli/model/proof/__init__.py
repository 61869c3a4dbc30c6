"""The invariants of the heap. Ours, not Go's."""
