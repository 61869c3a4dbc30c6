"""A heap as bytes, and what is checked before one is gone on from. Ours, not Go's."""
