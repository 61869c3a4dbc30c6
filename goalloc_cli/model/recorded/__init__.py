"""What a recording tells the model: hints, the heap at its start, what it contradicts. Ours, not Go's."""
