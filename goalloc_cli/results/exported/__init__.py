"""What is exported: who holds the heap at a moment, a replay in time, and a heap profile to lay it on."""
