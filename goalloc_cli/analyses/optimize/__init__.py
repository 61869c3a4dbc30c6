"""Size classes that fit a program: which table is best for what it occupies, and what real replays say of it."""
