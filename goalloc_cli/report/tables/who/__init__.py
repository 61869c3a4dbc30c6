"""Tables of who allocated, and who holds the heap."""
