"""How fast, how small, how soon: `python -m benchmarks`. Results are printed, never asserted."""
