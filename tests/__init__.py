"""The tests of goalloc."""
