"""What the events do not say themselves: order, cycles, sweeps, the heap at the start, what was lost."""
